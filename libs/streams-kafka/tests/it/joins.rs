//! A windowed join whose other half comes after a restart.

use std::time::Duration;

use streams::{JoinWindow, Joined, Topic, Topology};
use test_kit::{RawRecord, eventually_blocking};

use crate::rig::{AMOUNTS, Amount, DEADLINE, Rig, SUMS};

const BILLS: Topic<Amount> = Topic::new("bills", "waiters", |bill| bill.till.clone());
const WINDOW: JoinWindow = JoinWindow { within: Duration::from_secs(10), grace: Duration::from_secs(1) };

/// Adds each bill to the amount it belongs to; of one without the other it says what there is, with its side as a note.
fn cashier() -> Topology {
    let topology = Topology::new("adder");
    topology
        .stream(&AMOUNTS)
        .outer_join("settled", topology.stream(&BILLS), WINDOW)
        .map(|joined| match joined.value {
            Joined::Both(amount, bill) => Amount { cents: amount.cents + bill.cents, ..amount.clone() },
            Joined::Left(amount) => Amount { note: "amount".to_string(), ..amount.clone() },
            Joined::Right(bill) => Amount { note: "bill".to_string(), ..bill.clone() },
        })
        .to(&SUMS);
    topology
}

/// The notes and cents said of one till, in order.
fn said(rig: &Rig, till: &str, count: usize) -> Vec<(String, i64)> {
    let of_till = || rig.read("sums").into_iter().filter(|record| record.key_text() == till);
    let records = eventually_blocking("it is said", DEADLINE, || {
        Some(of_till().collect::<Vec<_>>()).filter(|records| records.len() >= count)
    });
    records.iter().map(|record| rig.decoded(record)).map(|sum| (sum.note, sum.cents)).collect()
}

fn bill(rig: &Rig, bill: RawRecord) {
    rig.broker.write(&rig.settings.topic("bills"), [bill]).unwrap();
}

/// Stops between the halves of a pair; the next process has to find the first half again.
fn assert_joined_across_a_restart(rig: &Rig) {
    let first = rig.start_and_await(cashier());
    rig.write([rig.encoded("a", 5).at_ms(100_000), rig.encoded("a", 7).at_ms(100_000)]);
    bill(rig, rig.encoded("a", 100).at_ms(101_000));
    assert_eq!(said(rig, "a", 2), [(String::new(), 105), (String::new(), 107)]);
    first.join();

    let second = rig.start_and_await(cashier());
    bill(rig, rig.encoded("a", 200).at_ms(110_000));
    assert_eq!(said(rig, "a", 4)[2..], [(String::new(), 205), (String::new(), 207)]);
    // One past the end of its window and the grace: the bill that met two is not said again, the lone one is.
    bill(rig, rig.encoded("a", 9).at_ms(130_000));
    rig.write([rig.encoded("a", 1).at_ms(141_001)]);
    assert_eq!(said(rig, "a", 5)[4..], [("bill".to_string(), 9)]);
    second.join();
    assert_eq!(said(rig, "a", 5).len(), 5);
}

#[test]
fn a_pair_is_joined_across_a_restart_from_the_changelog() {
    assert_joined_across_a_restart(&Rig::new(cashier()));
}

#[test]
fn a_pair_is_joined_across_a_restart_from_the_disk() {
    let mut rig = Rig::new(cashier());
    let directory = tempfile::tempdir().unwrap();
    rig.settings.state_dir = Some(directory.path().to_path_buf());
    assert_joined_across_a_restart(&rig);
}

#[test]
fn what_can_meet_no_other_is_removed_from_the_changelog() {
    let rig = Rig::new(cashier());
    let streams = rig.start_and_await(cashier());
    rig.write([rig.encoded("a", 5).at_ms(100_000), rig.encoded("a", 6).at_ms(200_000)]);
    assert_eq!(said(&rig, "a", 1), [("amount".to_string(), 5)]);
    let removed = eventually_blocking("it is removed", DEADLINE, || {
        let changes = rig.read("adder-settled-left-changelog");
        changes.into_iter().find(|change| change.value.is_none())
    });
    assert!(removed.key_text().starts_with("a\0"), "{removed:?}");
    streams.join();
}
