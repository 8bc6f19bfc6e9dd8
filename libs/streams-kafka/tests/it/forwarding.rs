//! Records that are sent on under another key without a transaction: each is processed once, however often it was sent.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use streams::{Topology, subject};
use streams_kafka::headers::FORWARDED_FROM;
use streams_kafka::{KafkaStreams, Status, partition_of};
use test_kit::{RawRecord, eventually_blocking};

use crate::aborts::fence;
use crate::rig::{AMOUNTS, Amount, DEADLINE, Gate, Rig, SUMS, TOTALS, counted};

const REPARTITION: &str = "adder-by-sign-repartition";

/// Sends amounts on by their sign, through `before`, and adds up those of one sign, after `after`.
fn sorter(
    before: impl Fn(&Amount) -> Amount + Send + Sync + 'static,
    after: impl Fn(&Amount) + Send + Sync + 'static,
) -> Topology {
    let topology = Topology::new("adder");
    topology
        .stream(&AMOUNTS)
        .map(move |amount| before(amount.value))
        .filter(|amount| amount.cents != 0)
        .rekey("by-sign", |amount| if amount.cents < 0 { "out" } else { "in" }.to_string())
        .process(&TOTALS, move |amount, totals| {
            after(amount.value);
            let total = totals.get(amount.key).map_or(0, |total| total.cents) + amount.cents;
            let total = Amount { till: amount.key.to_string(), cents: total, note: String::new() };
            totals.put(amount.key, &total);
            [total]
        })
        .to(&SUMS);
    topology
}

fn plain_sorter() -> Topology {
    sorter(Clone::clone, |_| ())
}

/// A sorter whose adding stops at this amount, once.
fn sorter_that_stops_at(cents: i64, gate: &Gate) -> Topology {
    let (gate, is_first) = (gate.clone(), AtomicBool::new(true));
    sorter(Clone::clone, move |amount| {
        if amount.cents == cents && is_first.swap(false, Ordering::AcqRel) {
            gate.stand();
        }
    })
}

impl Rig {
    /// Where each record of the repartition topic says that it comes from.
    fn origins(&self) -> Vec<String> {
        let records = self.read(REPARTITION);
        let origin = |record: &RawRecord| record.header_value(FORWARDED_FROM).map(<[u8]>::to_vec);
        records.iter().filter_map(origin).map(|origin| String::from_utf8(origin).unwrap()).collect()
    }

    /// Writes an amount to the repartition topic, as another owner would that says it comes from there.
    fn send_on(&self, cents: i64, origin: Option<&str>) {
        let record = RawRecord { key: Some(b"in".to_vec()), ..self.encoded("a", cents) };
        let record = origin.into_iter().fold(record, |record, origin| record.header(FORWARDED_FROM, origin));
        self.broker.write(&self.settings.topic(REPARTITION), [record]).unwrap();
    }

    /// Runs a sorter until it has added up so many amounts.
    fn sort_until(&self, count: usize) -> Vec<i64> {
        let streams = self.start_and_await(plain_sorter());
        let sums = self.await_sums(count);
        streams.join();
        assert_eq!(self.sums().len(), sums.len(), "nothing comes after");
        sums
    }

    /// The committed position in the partition of till `a`.
    fn committed(&self) -> Option<i64> {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.settings.bootstrap_servers)
            .set("group.id", self.settings.topic("adder"))
            .create()
            .unwrap();
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&self.settings.topic("amounts"), partition_of("a", 4));
        match client.committed_offsets(asked, DEADLINE).unwrap().elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }
}

#[test]
fn a_record_is_sent_on_before_its_position_is_committed() {
    let gate = Gate::default();
    let rig = Rig::new(plain_sorter());
    let streams = rig.start_and_await(sorter_that_stops_at(10, &gate));
    rig.write([rig.encoded("a", 10)]);
    gate.await_arrival();
    assert_eq!(rig.origins().len(), 1, "a reader of committed records sees it");
    assert_eq!(rig.committed(), Some(0), "what is committed is where it begins");
    gate.open();
    assert_eq!(rig.await_sums(1), [10]);
    streams.join();
    assert_eq!(rig.committed(), Some(1));
}

#[test]
fn what_an_aborted_epoch_had_sent_on_is_sent_again_and_processed_once() {
    let repeated = || counted("streams_repetitions_total", ("service", "adder"));
    let before = repeated();
    let gate = Gate::default();
    let rig = Rig::new(plain_sorter());
    let streams = rig.start_and_await(sorter_that_stops_at(30, &gate));
    rig.write([10, 20, 30].map(|cents| rig.encoded("a", cents)));
    gate.await_arrival();
    let sent = rig.origins();
    fence(&rig, "adder-0-0");
    gate.open();
    assert_eq!(rig.await_sums(3), [10, 30, 60], "what was read in the aborted epoch is not held for known");
    rig.write([rig.encoded("a", 40)]);
    assert_eq!(rig.await_sums(4), [10, 30, 60, 100]);
    streams.join();
    let origins = rig.origins();
    assert!(sent.len() == 3 && origins.len() > 4 && repeated() > before, "there was a repetition: {origins:?}");
    assert_eq!(rig.sums(), [10, 30, 60, 100]);
}

#[test]
fn what_a_process_had_sent_on_before_it_was_replaced_is_processed_once() {
    let gate = Gate::default();
    let rig = Rig::new(plain_sorter());
    let older = rig.start_and_await(sorter_that_stops_at(10, &gate));
    rig.write([10, 20, 30].map(|cents| rig.encoded("a", cents)));
    gate.await_arrival();
    // In the same slot, from the same positions, while the older one stands still.
    let newer = rig.start(plain_sorter());
    assert_eq!(rig.await_sums(3), [10, 30, 60]);
    gate.open();
    eventually_blocking("one of them stops, since they share a slot", DEADLINE, || {
        let has_failed = |streams: &KafkaStreams| matches!(*streams.status().borrow(), Status::Failed(_));
        (has_failed(&older) || has_failed(&newer)).then_some(())
    });
    rig.write([rig.encoded("a", 40)]);
    assert_eq!(rig.await_sums(4), [10, 30, 60, 100]);
    older.join();
    newer.join();
    assert!(rig.origins().len() >= 7, "there was a repetition: {:?}", rig.origins());
    assert_eq!(rig.sums(), [10, 30, 60, 100]);
}

#[test]
fn a_forwarder_that_fails_again_and_again_loses_and_doubles_nothing() {
    let rig = Rig::new(plain_sorter());
    let streams = rig.start_and_await(plain_sorter());
    for _ in 0..5 {
        rig.write((0..40).map(|_| rig.encoded("a", 1)));
        fence(&rig, "adder-0-0");
    }
    assert_eq!(rig.await_sums(200), (1..=200).collect::<Vec<_>>());
    streams.join();
    assert_eq!(rig.sums().len(), 200);
}

#[test]
fn an_old_owner_that_is_ahead_or_behind_changes_nothing() {
    let rig = Rig::new(plain_sorter());
    rig.write([1, 2, 4].map(|cents| rig.encoded("a", cents)));
    assert_eq!(rig.sort_until(3), [1, 3, 7]);
    let origins = rig.origins();
    let at = |offset: usize| origins[0].replace("/0/0", &format!("/{offset}/0"));
    assert_eq!(origins, [at(0), at(1), at(2)]);

    rig.write([8, 16, 32].map(|cents| rig.encoded("a", cents)));
    // It has read further than what is committed, and repeats what is.
    for (offset, cents) in [(3, 8), (4, 16), (1, 2), (2, 4), (3, 8)] {
        rig.send_on(cents, Some(&at(offset)));
    }
    assert_eq!(rig.sort_until(6), [1, 3, 7, 15, 31, 63]);
    assert_eq!(rig.origins().len(), 3 + 5 + 3, "the new owner has sent on all of it");
}

#[test]
fn a_restart_knows_what_was_there_before() {
    let rig = Rig::new(plain_sorter());
    rig.write([1, 2].map(|cents| rig.encoded("a", cents)));
    assert_eq!(rig.sort_until(2), [1, 3]);
    let origins = rig.origins();
    rig.send_on(1, Some(&origins[0]));
    rig.send_on(2, Some(&origins[1]));
    rig.write([rig.encoded("a", 4)]);
    assert_eq!(rig.sort_until(3), [1, 3, 7]);
}

#[test]
fn a_record_that_does_not_say_where_it_comes_from_is_taken() {
    let rig = Rig::new(plain_sorter());
    rig.send_on(1, None);
    rig.send_on(2, Some("somewhere"));
    rig.send_on(4, None);
    assert_eq!(rig.sort_until(3), [1, 3, 7]);
}

#[test]
fn what_a_record_of_any_other_topic_says_of_its_origin_is_nothing_to_us() {
    let rig = Rig::new(plain_sorter());
    rig.write([1, 2, 4].map(|cents| rig.encoded("a", cents).header(FORWARDED_FROM, "amounts/0/1/0/0")));
    assert_eq!(rig.sort_until(3), [1, 3, 7]);
}

#[test]
fn the_records_of_a_topic_that_was_created_anew_are_not_held_for_repetitions() {
    let rig = Rig::new(plain_sorter());
    rig.write([1, 2, 4].map(|cents| rig.encoded("a", cents)));
    assert_eq!(rig.sort_until(3), [1, 3, 7]);
    let amounts = rig.settings.topic("amounts");
    rig.broker.delete_topic(&amounts).unwrap();
    eventually_blocking("its positions are gone, too", DEADLINE, || rig.committed().is_none().then_some(()));
    rig.create_topics(plain_sorter());
    rig.write([8, 16, 32].map(|cents| rig.encoded("a", cents)));
    assert_eq!(rig.sort_until(6), [1, 3, 7, 15, 31, 63]);
}

#[test]
fn what_is_put_aside_is_committed_before_anything_behind_it_is_sent_on() {
    let rig = Rig::new(plain_sorter());
    rig.write([rig.encoded("a", 1)]);
    assert_eq!(rig.sort_until(1), [1]);

    let gate = Gate::default();
    let at_gate = gate.clone();
    let before = move |amount: &Amount| {
        if amount.cents == 4 {
            at_gate.stand();
        }
        amount.clone()
    };
    // All in one batch, which a step in the middle would not wait for.
    rig.write([RawRecord::new("a", "not Avro"), rig.encoded("a", 2), rig.encoded("a", 4)]);
    let streams = rig.start(sorter(before, |_| ()));
    gate.await_arrival();
    let sent_on = eventually_blocking("the next one is sent on", DEADLINE, || {
        Some(rig.origins()).filter(|origins| origins.len() == 2)
    });
    assert!(sent_on[1].ends_with("/2/0"), "{sent_on:?}");
    assert_eq!(rig.read("adder-dead-letters").len(), 1);
    gate.open();
    assert_eq!(rig.await_sums(3), [1, 3, 7]);
    streams.join();
}

#[test]
fn nothing_is_sent_on_behind_a_record_that_the_broker_refuses() {
    let (gate, is_first, is_first_behind) = (Gate::default(), AtomicBool::new(true), AtomicBool::new(true));
    let at_gate = gate.clone();
    let before = move |amount: &Amount| {
        if amount.cents == 30 && is_first_behind.swap(false, Ordering::AcqRel) {
            at_gate.stand();
        }
        let is_too_large = amount.cents == 20 && is_first.swap(false, Ordering::AcqRel);
        let note = if is_too_large { "x".repeat(500_000) } else { String::new() };
        Amount { note, ..amount.clone() }
    };
    let rig = Rig::new(plain_sorter());
    let streams = rig.start_and_await(sorter(before, |_| ()));
    // Behind the engine's back, after it has looked: only the broker finds the record too large.
    let topic = rig.settings.topic(REPARTITION);
    rig.broker.alter_topic(&topic, &[("max.message.bytes", "100000")]).unwrap();
    let is_refused = || {
        let large = Amount { till: "a".to_string(), cents: 0, note: "x".repeat(500_000) };
        let large = RawRecord::new("in", rig.schemas.encode(&subject("amounts"), &large).unwrap());
        rig.broker.write(&topic, [large]).is_err().then_some(())
    };
    eventually_blocking("the new limit holds", DEADLINE, is_refused);
    let already_there = rig.read(REPARTITION).len();
    rig.write([10, 20, 30, 40, 50].map(|cents| rig.encoded("a", cents)));
    gate.await_arrival();
    // What the broker has refused of us after that, it has refused of the engine before.
    is_refused().unwrap();
    gate.open();
    let sums = rig.await_sums(already_there + 5).split_off(already_there);
    assert_eq!(sums, [10, 30, 60, 100, 150]);
    streams.join();
}

#[test]
fn a_chain_of_steps_that_send_on_processes_each_record_once() {
    let chain = |gate: Gate| {
        let is_first = AtomicBool::new(true);
        let topology = Topology::new("adder");
        let by_note = topology.stream(&AMOUNTS).rekey("by-note", |amount| amount.note.clone());
        by_note
            .rekey("by-sign", |_| "in".to_string())
            .process(&TOTALS, move |amount, totals| {
                if amount.cents == 30 && is_first.swap(false, Ordering::AcqRel) {
                    gate.stand();
                }
                let total = totals.get(amount.key).map_or(0, |total| total.cents) + amount.cents;
                let total = Amount { cents: total, ..amount.value.clone() };
                totals.put(amount.key, &total);
                [total]
            })
            .to(&SUMS);
        topology
    };
    let gate = Gate::default();
    let rig = Rig::new(chain(gate.clone()));
    let streams = rig.start_and_await(chain(gate.clone()));
    rig.write([10, 20, 30].map(|cents| rig.encoded("a", cents)));
    gate.await_arrival();
    fence(&rig, "adder-0-0");
    gate.open();
    assert_eq!(rig.await_sums(3), [10, 30, 60]);
    streams.join();
    assert!(rig.read("adder-by-note-repartition").len() > 3, "there was a repetition");
    assert_eq!(rig.sums(), [10, 30, 60]);
}
