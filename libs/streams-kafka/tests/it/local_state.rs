//! What is on disk saves a restore, and is thrown away where it is not what the changelog says.

use std::fs;

use avro_codec::{AvroRecord, SchemaId, Schemas};
use streams::subject;
use streams_kafka::{KafkaStreams, Status, partition_of};
use tempfile::TempDir;
use test_kit::{RawRecord, eventually_blocking};

use crate::rig::{Amount, DEADLINE, Rig, TOTALS, await_status, await_total, plain_adder};

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
fn restarts_and_rebalances_in_which_nothing_is_written_change_nothing() {
    let (rig, _directory) = stopped_with_state();
    for _ in 0..2 {
        let streams = rig.start_and_await(plain_adder());
        await_total(&streams.view(&TOTALS), "a", 5);
        streams.join();
    }
    // The marker of the transaction is the youngest thing in the changelog, and no record.
    rig.truncate_changelog();
    let mut elsewhere = rig.instance("1");
    elsewhere.settings.state_dir = None;
    let streams = rig.start_and_await(plain_adder());
    assert!(partition_of("a", 4) < 2, "of two instances the one in the first slot has the first partitions");
    let other = elsewhere.start_and_await(plain_adder());
    other.leave();
    await_status(&other, "it leaves", |status| *status == Status::Left);
    assert_goes_on(&rig, streams);
}

#[test]
fn state_on_disk_that_was_written_with_a_schema_nobody_has_met_yet_waits_for_it() {
    let (mut rig, _directory) = stopped_with_state();
    let earlier = SchemaId::of(&rig.encoded("a", 5).value.unwrap()).unwrap();
    rig.schemas = Schemas::new();
    for (n, topic) in (900..).zip(["amounts", "sums", CHANGELOG]) {
        rig.schemas.bind(&subject(topic), SchemaId(n), Amount::SCHEMA).unwrap();
    }
    let ids: Vec<SchemaId> =
        rig.read(CHANGELOG).iter().filter_map(|record| SchemaId::of(record.value.as_deref()?)).collect();
    assert!(earlier.0 < 900 && ids.iter().all(|id| id.0 < 900), "{earlier} {ids:?}");
    let streams = rig.start(plain_adder());
    eventually_blocking("the engine asks for the schemas", DEADLINE, || {
        let asked = rig.asked.lock().unwrap();
        ids.iter().all(|id| asked.contains(id)).then_some(())
    });
    ids.iter().for_each(|id| rig.schemas.learn(*id, Amount::SCHEMA).unwrap());
    await_total(&streams.view(&TOTALS), "a", 5);
    streams.join();
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
        let total = rig.schemas.encode(&subject(CHANGELOG), &total).unwrap();
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
