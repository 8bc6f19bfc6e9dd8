//! What is on disk saves a restore, and is thrown away where it is not what the changelog says.

use std::fs;

use streams_kafka::{KafkaStreams, Status};
use tempfile::TempDir;
use test_kit::RawRecord;

use crate::rig::{Amount, Rig, TOTALS, await_status, await_total, plain_adder};

const CHANGELOG: &str = "adder-totals-changelog";

/// A rig whose instance keeps its stores on disk, has processed an amount, and was stopped.
fn stopped_with_state() -> (Rig, TempDir) {
    let mut rig = Rig::new(plain_adder());
    let directory = tempfile::tempdir().unwrap();
    rig.settings.state_dir = Some(directory.path().to_path_buf());
    let streams = rig.start_and_await(plain_adder());
    rig.write([rig.encoded("a", 5)]);
    await_total(&streams.view(&TOTALS), "a", 5);
    streams.join();
    (rig, directory)
}

fn assert_goes_on(rig: &Rig, streams: KafkaStreams) {
    rig.write([rig.encoded("a", 5)]);
    await_total(&streams.view(&TOTALS), "a", 10);
    streams.join();
    assert_eq!(rig.sums(), [5, 10]);
}

#[test]
fn a_restart_needs_nothing_of_the_changelog_that_is_on_disk() {
    let (rig, _directory) = stopped_with_state();
    rig.truncate_changelog();
    let streams = rig.start_and_await(plain_adder());
    await_total(&streams.view(&TOTALS), "a", 5);
    assert_goes_on(&rig, streams);
}

#[test]
fn a_restart_reads_what_others_have_added_to_the_changelog() {
    let (rig, _directory) = stopped_with_state();
    let mut elsewhere = rig.instance("0");
    elsewhere.settings.state_dir = None;
    let streams = elsewhere.start_and_await(plain_adder());
    rig.write([rig.encoded("a", 2), rig.encoded("b", 3)]);
    await_total(&streams.view(&TOTALS), "a", 7);
    await_total(&streams.view(&TOTALS), "b", 3);
    streams.join();
    let streams = rig.start_and_await(plain_adder());
    await_total(&streams.view(&TOTALS), "a", 7);
    await_total(&streams.view(&TOTALS), "b", 3);
    streams.join();
}

#[test]
fn local_state_that_was_wiped_is_restored_in_full() {
    let (rig, directory) = stopped_with_state();
    fs::remove_dir_all(directory.path()).unwrap();
    let streams = rig.start_and_await(plain_adder());
    await_total(&streams.view(&TOTALS), "a", 5);
    assert_goes_on(&rig, streams);
}

#[test]
fn local_state_older_than_what_the_changelog_remembers_of_removals_is_thrown_away() {
    let (rig, _directory) = stopped_with_state();
    // With its changelog truncated, only local state can tell what the total is.
    rig.truncate_changelog();
    let changelog = rig.settings.topic(CHANGELOG);
    rig.broker.alter_topic(&changelog, &[("cleanup.policy", "compact"), ("delete.retention.ms", "1")]).unwrap();
    let failed = await_status(&rig.start(plain_adder()), "it stops", |status| matches!(status, Status::Failed(_)));
    assert!(failed.to_string().contains("begins at offset"), "{failed}");
}

#[test]
fn local_state_of_a_changelog_that_was_created_anew_is_thrown_away() {
    for records in [1, 9] {
        let (rig, _directory) = stopped_with_state();
        let changelog = rig.settings.topic(CHANGELOG);
        rig.broker.delete_topic(&changelog).unwrap();
        rig.broker.create_topic(&changelog, 4, &[("cleanup.policy", "compact")]).unwrap();
        let total = Amount { till: "a".to_string(), cents: 77, note: String::new() };
        let total = rig.schemas.encode(&streams::subject(CHANGELOG), &total).unwrap();
        rig.broker.write(&changelog, (0..records).map(|_| RawRecord::new("a", total.clone()))).unwrap();
        let streams = rig.start_and_await(plain_adder());
        await_total(&streams.view(&TOTALS), "a", 77);
        streams.join();
    }
}

#[test]
fn two_processes_cannot_share_a_directory() {
    let (rig, _directory) = stopped_with_state();
    let streams = rig.start_and_await(plain_adder());
    let refused = rig.try_start(plain_adder()).expect_err("the directory is in use");
    assert!(refused.to_string().contains("use"), "{refused}");
    await_total(&streams.view(&TOTALS), "a", 5);
    streams.join();
}

#[test]
fn a_committed_offset_that_is_no_longer_in_the_log_stops_it_with_the_remedy() {
    let (rig, _directory) = stopped_with_state();
    let amounts = rig.settings.topic("amounts");
    rig.write([rig.encoded("a", 5), rig.encoded("a", 5)]);
    rig.broker.delete_records(&amounts).unwrap();
    let failed = await_status(&rig.start(plain_adder()), "it stops", |status| matches!(status, Status::Failed(_)));
    assert!(failed.to_string().contains("--reset-offsets"), "{failed}");
    assert_eq!(rig.sums(), [5]);
}
