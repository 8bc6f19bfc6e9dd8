//! State survives its process; streams meet under new keys.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use streams::{Store, Topic, Topology};
use streams_kafka::partition_of;
use test_kit::eventually_blocking;

use crate::rig::{AMOUNTS, Amount, DEADLINE, Rig, SUMS, TOTALS, await_total, plain_adder};

/// Adds up by the note instead of the till.
fn by_note() -> Topology {
    let topology = Topology::new("adder");
    topology
        .stream(&AMOUNTS)
        .rekey("by-note", |amount| amount.note.clone())
        .process(&TOTALS, |amount, totals| {
            let before = totals.get(amount.key).map_or(0, |total| total.cents);
            let total = Amount { cents: before + amount.cents, ..amount.value.clone() };
            totals.put(amount.key, &total);
            [total]
        })
        .to(&SUMS);
    topology
}

#[test]
fn a_restarted_topology_goes_on_from_its_changelog_and_its_offsets() {
    let rig = Rig::new(plain_adder());
    let tills: Vec<String> = (0..50).map(|n| format!("till-{n}")).collect();
    for round in 1..=3 {
        let streams = rig.start_and_await(plain_adder());
        let view = streams.view(&TOTALS);
        for till in &tills {
            let served = eventually_blocking("the till is served", DEADLINE, || view.get(till).ok());
            let restored = served.map_or(0, |total| total.cents);
            assert_eq!(restored, (round - 1) * 5, "{till} in round {round}");
        }
        rig.write(tills.iter().map(|till| rig.encoded(till, 5)));
        tills.iter().for_each(|till| await_total(&view, till, round * 5));
        streams.join();
    }
    assert_eq!(rig.sums().len(), 150, "each record was processed once");
}

#[test]
fn records_written_while_it_was_down_are_processed_when_it_is_back() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    rig.write([rig.encoded("a", 1)]);
    await_total(&streams.view(&TOTALS), "a", 1);
    streams.join();
    rig.write([rig.encoded("a", 2), rig.encoded("a", 4)]);
    let streams = rig.start_and_await(plain_adder());
    await_total(&streams.view(&TOTALS), "a", 7);
    assert_eq!(rig.sums(), [1, 3, 7]);
    streams.join();
}

#[test]
fn every_record_goes_to_the_partition_a_java_client_would_choose() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    let tills: Vec<String> = (0..40).map(|n| format!("till-{n}")).collect();
    rig.write(tills.iter().map(|till| rig.encoded(till, 1)));
    rig.await_sums(40);
    for topic in ["sums", "adder-totals-changelog"] {
        for record in rig.read(topic) {
            assert_eq!(record.partition, partition_of(record.key_text(), 4), "{topic}");
        }
    }
    streams.join();
}

#[test]
fn the_trace_of_a_record_travels_to_what_follows_from_it() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    rig.write([rig.encoded("a", 1).header("traceparent", traceparent), rig.encoded("b", 1)]);
    rig.await_sums(2);
    for record in rig.read("sums") {
        let expected = (record.key_text() == "a").then_some(traceparent.as_bytes());
        assert_eq!(record.header_value("traceparent"), expected);
        let processed_at: i64 = String::from_utf8_lossy(record.header_value("processed-at").unwrap()).parse().unwrap();
        assert!(processed_at >= record.timestamp_ms.unwrap());
    }
    streams.join();
}

#[test]
fn rekeyed_records_meet_and_the_repartition_topic_is_purged_behind_them() {
    let mut rig = Rig::new(by_note());
    rig.settings.purge_interval = Duration::from_millis(500);
    let streams = rig.start_and_await(by_note());
    let amounts = (0..20).map(|n| {
        let amount = Amount { till: format!("till-{n}"), cents: 1, note: "red".to_string() };
        test_kit::RawRecord::new(amount.till.clone(), rig.schemas.encode("amounts-value", &amount).unwrap())
    });
    rig.write(amounts);
    await_total(&streams.view(&TOTALS), "red", 20);
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &rig.settings.bootstrap_servers).create().unwrap();
    let topic = rig.settings.topic("adder-by-note-repartition");
    let (_, end) = client.fetch_watermarks(&topic, partition_of("red", 4), DEADLINE).unwrap();
    assert!(end >= 20);
    eventually_blocking("the repartition topic is purged", DEADLINE, || {
        let (begin, _) = client.fetch_watermarks(&topic, partition_of("red", 4), DEADLINE).ok()?;
        (begin >= 20).then_some(())
    });
    streams.join();
}

const LATEST: Topic<Amount> = Topic::new("latest", "tills", |amount: &Amount| amount.till.clone()).compacted();

#[test]
fn a_table_with_records_that_were_not_read_yet_is_restored_to_its_position_and_reads_on() {
    let topology = || {
        let topology = Topology::new("adder");
        let (_, changes) = topology.table(&LATEST);
        changes.map(|amount| amount.value.clone()).to(&SUMS);
        topology
    };
    let rig = Rig::new(topology());
    let latest = rig.settings.topic("latest");
    let streams = rig.start_and_await(topology());
    rig.broker.write(&latest, [rig.encoded("a", 5)]).unwrap();
    assert_eq!(rig.await_sums(1), [5]);
    streams.join();
    rig.broker.write(&latest, [rig.encoded("a", 7), rig.encoded("a", 9)]).unwrap();
    let streams = rig.start_and_await(topology());
    assert_eq!(rig.await_sums(3), [5, 7, 9]);
    await_total(&streams.view(&Store::new("latest")), "a", 9);
    streams.join();
}
