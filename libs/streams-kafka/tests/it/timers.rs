//! Timers by the wall clock on a real clock and a real broker.

use std::time::Duration;

use avro_codec::{AvroRecord, SchemaId};
use streams::{Clock, Timestamp, Topic, Topology};
use streams_kafka::partition_of;

use crate::dead_letters::with_schema_id;
use crate::rig::{AMOUNTS, Amount, DEADLINE, Rig, TOTALS};

const FORGOTTEN: Topic<Amount> = Topic::new("forgotten", "adder", |amount| amount.till.clone());

/// Keeps the last amount of each till; says when a till was not heard of for a while, and hears that itself.
fn watch(patience: Duration) -> Topology {
    let topology = Topology::new("adder");
    let silences = topology.stream(&FORGOTTEN);
    topology
        .stream(&AMOUNTS)
        .merge(silences)
        .process(&TOTALS, |amount, last| {
            last.put(amount.key, amount.value);
            None::<Amount>
        })
        .filter(|_| false)
        .to(&FORGOTTEN);
    topology
        .timer(&TOTALS, Clock::Wall, patience, |amount| (amount.note != "forgotten").then_some(Timestamp(amount.cents)))
        .map(|amount| Amount {
            note: "forgotten".to_string(),
            cents: amount.timestamp.as_millis(),
            ..amount.value.clone()
        })
        .to(&FORGOTTEN);
    topology
}

fn await_forgotten(rig: &Rig, count: usize) -> Vec<Amount> {
    test_kit::eventually_blocking("the timers have fired", DEADLINE, || {
        let forgotten: Vec<Amount> = rig.read("forgotten").iter().map(|record| rig.decoded(record)).collect();
        (forgotten.len() >= count).then_some(forgotten)
    })
}

#[test]
fn a_timer_fires_once_per_entry_and_not_again_after_a_restart() {
    let patience = Duration::from_millis(300);
    let rig = Rig::new(watch(patience));
    let streams = rig.start_and_await(watch(patience));
    rig.write(["a", "b", "c"].map(|till| rig.encoded(till, 1)));
    await_forgotten(&rig, 3);
    streams.join();
    let streams = rig.start_and_await(watch(patience));
    rig.write([rig.encoded("d", 1)]);
    let mut tills: Vec<String> = await_forgotten(&rig, 4).into_iter().map(|amount| amount.till).collect();
    tills.sort();
    assert_eq!(tills, ["a", "b", "c", "d"]);
    streams.join();
}

#[test]
fn a_deadline_that_passed_while_it_was_down_counts_from_when_it_has_caught_up() {
    let patience = Duration::from_millis(1500);
    let rig = Rig::new(watch(patience));
    // A moment of 1970: long past when the topology first reads it.
    rig.write([rig.encoded("a", 1)]);
    let started_at = now_ms();
    let streams = rig.start_and_await(watch(patience));
    let forgotten = await_forgotten(&rig, 1);
    assert!(forgotten[0].cents >= started_at + 1500, "fired {} ms after the start", forgotten[0].cents - started_at);
    streams.join();
}

#[test]
fn no_timer_fires_behind_a_record_that_waits_for_its_schema() {
    let patience = Duration::from_millis(300);
    let rig = Rig::new(watch(patience));
    let unknown = SchemaId(4712);
    let elsewhere = (0..100).map(|n| format!("till-{n}")).find(|till| partition_of(till, 4) != partition_of("a", 4));
    let elsewhere = elsewhere.unwrap();
    // All of it is there before the topology starts, so its tasks have something to catch up with.
    rig.write([rig.encoded("a", 1), with_schema_id(rig.encoded("a", 2), unknown.0), rig.encoded(&elsewhere, 1)]);
    let streams = rig.start_and_await(watch(patience));
    let forgotten = await_forgotten(&rig, 1);
    assert_eq!(forgotten.iter().map(|amount| &amount.till).collect::<Vec<_>>(), [&elsewhere]);
    rig.schemas.learn(unknown, Amount::SCHEMA).unwrap();
    let forgotten = await_forgotten(&rig, 2);
    assert!(forgotten.iter().any(|amount| amount.till == "a"));
    streams.join();
}

#[expect(clippy::disallowed_methods, reason = "the test compares with the clock on the wall")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
