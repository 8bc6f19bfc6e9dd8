//! Global tables: whole before anything is processed, up to date from then on.

use avro_codec::{AvroRecord, SchemaId};
use streams::{Topic, Topology};
use streams_kafka::Status;
use test_kit::{RawRecord, eventually_blocking};

use crate::dead_letters::with_schema_id;
use crate::rig::{AMOUNTS, Amount, DEADLINE, Rig, SUMS, await_status, counted, plain_adder};

const SEEN: Topic<Amount> = Topic::new("seen", "follower", |amount| amount.till.clone());
const RATES: Topic<Amount> = Topic::new("rates", "banks", |rate: &Amount| rate.till.clone()).compacted();

/// Multiplies each amount with the rate of `gold`, whatever its own key.
fn exchange() -> Topology {
    let topology = Topology::new("follower");
    let rates = topology.global_table(&RATES);
    let rate = |rate: Option<Amount>| rate.map_or(-1, |rate| rate.cents);
    topology
        .stream(&AMOUNTS)
        .process(&rates, move |amount, rates| {
            [Amount { cents: amount.cents * rate(rates.get("gold")), ..amount.value.clone() }]
        })
        .to(&SEEN);
    topology
}

/// Says of each amount the last sum of its till.
fn follower() -> Topology {
    let topology = Topology::new("follower");
    let sums = topology.global_table(&SUMS);
    topology.stream(&AMOUNTS).process(&sums, |amount, sums| sums.get(amount.key)).to(&SEEN);
    topology
}

fn seen(rig: &Rig, count: usize) -> Vec<i64> {
    let seen = eventually_blocking("all amounts are through", DEADLINE, || {
        Some(rig.read("seen")).filter(|seen| seen.len() >= count)
    });
    seen.iter().map(|record| rig.decoded(record).cents).collect()
}

fn set_rates(rig: &Rig, rates: impl IntoIterator<Item = RawRecord>) {
    rig.broker.write(&rig.settings.topic("rates"), rates).unwrap();
}

/// Writes an amount of one until it is seen multiplied by `rate`.
fn await_rate(rig: &Rig, rate: i64) {
    eventually_blocking("the rate is used", DEADLINE, || {
        let before = rig.read("seen").len();
        rig.write([rig.encoded("probe", 1)]);
        seen(rig, before + 1);
        let probes = rig.read("seen").into_iter().filter(|record| record.key_text() == "probe");
        probes.last().filter(|last| rig.decoded(last).cents == rate).map(drop)
    });
}

#[test]
fn all_that_is_in_a_global_table_is_read_before_anything_is_processed() {
    let rig = Rig::new(plain_adder());
    rig.create_topics(follower());
    // Sums of all partitions, behind each of which stands the marker of a transaction.
    let adder = rig.start(plain_adder());
    let amounts: Vec<RawRecord> = (0..2_000).map(|n| rig.encoded(&format!("till-{}", n % 8), 1)).collect();
    rig.write(amounts);
    rig.await_sums(2_000);
    adder.join();
    let follower = rig.start_and_await(follower());
    assert_eq!(seen(&rig, 2_000), vec![250; 2_000], "each amount has seen the last sum of its till");
    follower.join();
}

#[test]
fn updates_and_removals_are_seen_by_every_partition_and_a_restart_finds_them() {
    let rig = Rig::new(exchange());
    let first = rig.start_and_await(exchange());
    rig.write((0..8).map(|n| rig.encoded(&format!("till-{n}"), 1)));
    assert_eq!(seen(&rig, 8), [-1; 8], "there is no rate yet");
    set_rates(&rig, [rig.encoded("gold", 3)]);
    await_rate(&rig, 3);
    set_rates(&rig, [rig.encoded("gold", 5), rig.encoded("silver", 7)]);
    await_rate(&rig, 5);
    first.join();

    let before = rig.read("seen").len();
    let second = rig.start_and_await(exchange());
    rig.write((0..8).map(|n| rig.encoded(&format!("till-{n}"), 2)));
    let tens = seen(&rig, before + 8).into_iter().filter(|cents| *cents == 10).count();
    assert_eq!(tens, 8, "all was there before the first of them");
    set_rates(&rig, [RawRecord { value: None, ..rig.encoded("gold", 0) }]);
    await_rate(&rig, -1);
    second.join();
}

#[test]
fn what_cannot_be_read_is_left_out_and_counted_and_the_rest_goes_on() {
    let refused = |cause| counted("streams_global_records_refused_total", ("cause", cause));
    let before = (refused("undecodable"), refused("key not UTF-8"));
    let rig = Rig::new(exchange());
    let bad =
        || [RawRecord::new("gold", "no avro at all"), RawRecord { key: Some(vec![0xff]), ..rig.encoded("gold", 13) }];
    set_rates(&rig, [rig.encoded("gold", 3)]);
    set_rates(&rig, bad());
    let streams = rig.start_and_await(exchange());
    rig.write([rig.encoded("a", 1)]);
    assert_eq!(seen(&rig, 1), [3], "the last value that can be read");
    set_rates(&rig, bad());
    set_rates(&rig, [rig.encoded("gold", 4)]);
    await_rate(&rig, 4);
    eventually_blocking("all of them are counted", DEADLINE, || {
        let counts = (refused("undecodable") - before.0, refused("key not UTF-8") - before.1);
        (counts.0 > 1.5 && counts.1 > 1.5).then_some(())
    });
    assert!(rig.read("follower-dead-letters").is_empty(), "the topic is somebody else's to clear up");
    streams.join();
}

#[test]
fn a_record_with_an_unknown_schema_is_waited_for_until_the_schema_is_known() {
    let rig = Rig::new(exchange());
    let unknown = SchemaId(4712);
    set_rates(&rig, [with_schema_id(rig.encoded("gold", 3), unknown.0)]);
    let streams = rig.start(exchange());
    eventually_blocking("the engine asks for the schema", DEADLINE, || {
        rig.asked.lock().unwrap().contains(&unknown).then_some(())
    });
    let waiting = await_status(&streams, "it says so", |status| status.to_string().contains("4712"));
    assert!(matches!(waiting, Status::Restoring(_)), "{waiting}");
    rig.schemas.learn(unknown, Amount::SCHEMA).unwrap();
    await_status(&streams, "it runs", |status| *status == Status::Running);
    rig.write([rig.encoded("a", 2)]);
    assert_eq!(seen(&rig, 1), [6]);
    streams.join();
}

#[test]
fn a_topic_that_is_not_there_is_waited_for_by_its_name() {
    let rig = Rig::bare();
    let graph = exchange().build().unwrap();
    let mut topics = graph.describe().writes;
    topics.extend(graph.inputs().cloned());
    streams_kafka::create_topics(&rig.settings, &topics).unwrap();
    let streams = rig.start(exchange());
    let missing = rig.settings.topic("rates");
    await_status(&streams, "it waits for the topic", |status| status.to_string().contains(&missing));
    let rates: Vec<_> = graph.global_topics().cloned().collect();
    streams_kafka::create_topics(&rig.settings, &rates).unwrap();
    await_status(&streams, "it runs", |status| *status == Status::Running);
    set_rates(&rig, [rig.encoded("gold", 3)]);
    await_rate(&rig, 3);
    streams.join();
}
