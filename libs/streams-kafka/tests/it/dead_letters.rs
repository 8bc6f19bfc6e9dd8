//! What cannot be read is put aside; what cannot be read yet waits.

use std::time::Duration;

use avro_codec::{AvroRecord, SchemaId};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use streams::{Clock, Timestamp, Topology};
use test_kit::{RawRecord, eventually_blocking};

use crate::rig::{AMOUNTS, Amount, DEADLINE, Rig, SUMS, TOTALS, await_total, counted, plain_adder};

pub fn with_schema_id(mut record: RawRecord, id: u32) -> RawRecord {
    let value = record.value.as_mut().unwrap();
    value[1..5].copy_from_slice(&id.to_be_bytes());
    record
}

#[test]
fn a_record_that_cannot_be_read_is_put_aside_with_its_bytes_cause_and_coordinates() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    let mut truncated = rig.encoded("a", 300);
    truncated.value.as_mut().unwrap().truncate(7);
    let bad = [
        RawRecord::new("a", "no avro at all").header("colour", "blue").at_ms(1_700_000_000_000),
        truncated,
        RawRecord { key: None, ..rig.encoded("a", 1) },
        RawRecord { key: Some(vec![0xff, 0xfe]), ..rig.encoded("a", 1) },
        RawRecord { value: None, ..rig.encoded("a", 1) },
    ];
    let written = rig.write(bad);
    rig.write([rig.encoded("a", 10)]);
    assert_eq!(rig.await_sums(1), [10], "what is behind them goes on");
    let letters = eventually_blocking("all are put aside", DEADLINE, || {
        Some(rig.read("adder-dead-letters")).filter(|letters| letters.len() >= written.len())
    });
    assert_eq!(letters.len(), written.len());
    for record in &written {
        let is_its = |letter: &&RawRecord| {
            letter.header_value("dead-letter-offset") == Some(text(record.offset).as_slice())
                && letter.header_value("dead-letter-partition") == Some(text(record.partition.into()).as_slice())
        };
        let letter = letters.iter().find(is_its).expect("each is there, with its coordinates");
        assert_eq!((&letter.key, &letter.value), (&record.key, &record.value));
        assert_eq!(letter.header_value("dead-letter-topic"), Some(rig.settings.topic("amounts").as_bytes()));
        assert!(!letter.header_value("dead-letter-cause").unwrap().is_empty());
        assert!(record.headers.iter().all(|header| letter.headers.contains(header)), "its own headers stay");
    }
    streams.join();
}

fn text(number: i64) -> Vec<u8> {
    number.to_string().into_bytes()
}

#[test]
fn a_record_with_an_unknown_schema_waits_in_its_partition_and_goes_on_when_the_schema_is_known() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    let unknown = SchemaId(4711);
    rig.write([rig.encoded("a", 1), with_schema_id(rig.encoded("a", 2), unknown.0), rig.encoded("a", 4)]);
    eventually_blocking("the engine asks for the schema", DEADLINE, || {
        rig.asked.lock().unwrap().contains(&unknown).then_some(())
    });
    await_total(&streams.view(&TOTALS), "a", 1);
    // Another partition is not held up.
    let elsewhere = (0..100)
        .map(|n| format!("till-{n}"))
        .find(|till| streams_kafka::partition_of(till, 4) != streams_kafka::partition_of("a", 4));
    let elsewhere = elsewhere.unwrap();
    rig.write([rig.encoded(&elsewhere, 8)]);
    await_total(&streams.view(&TOTALS), &elsewhere, 8);
    assert_eq!(streams.view(&TOTALS).get("a").unwrap().unwrap().cents, 1, "it waits, and what is behind it too");
    rig.schemas.learn(unknown, Amount::SCHEMA).unwrap();
    await_total(&streams.view(&TOTALS), "a", 7);
    assert!(rig.read("adder-dead-letters").is_empty());
    streams.join();
}

#[test]
fn a_record_whose_schema_the_registry_does_not_know_is_put_aside_and_the_rest_goes_on() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    let unknown = SchemaId(815);
    rig.write([rig.encoded("a", 1), with_schema_id(rig.encoded("a", 2), unknown.0), rig.encoded("a", 4)]);
    eventually_blocking("the engine asks for the schema", DEADLINE, || {
        rig.asked.lock().unwrap().contains(&unknown).then_some(())
    });
    rig.schemas.refuse(unknown, "the registry does not know it".to_string());
    await_total(&streams.view(&TOTALS), "a", 5);
    assert_eq!(rig.read("adder-dead-letters").len(), 1);
    streams.join();
}

/// Writes a record that is small only while it is packed.
fn write_compressed(rig: &Rig, key: &str, value: &[u8]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &rig.settings.bootstrap_servers)
        .set("compression.type", "gzip")
        .set("message.max.bytes", "10000000")
        .create()
        .unwrap();
    let topic = rig.settings.topic("amounts");
    producer.send(BaseRecord::to(&topic).key(key).payload(value)).map_err(|(error, _)| error).unwrap();
    producer.flush(DEADLINE).unwrap();
}

#[test]
fn a_record_that_unpacks_to_more_than_any_topic_takes_is_put_aside_without_its_value() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    write_compressed(&rig, "a", &vec![b'x'; 5_000_000]);
    rig.write([rig.encoded("a", 10)]);
    assert_eq!(rig.await_sums(1), [10], "what is behind it goes on");
    let letters = rig.read("adder-dead-letters");
    assert_eq!((letters.len(), &letters[0].value), (1, &None));
    assert_eq!(letters[0].header_value("dead-letter-offset"), Some(&b"0"[..]));
    streams.join();
}

/// Gives up what is negative, and what has lain in its store for a second.
fn giving_up() -> Topology {
    let topology = Topology::new("adder");
    let (negative, others) = topology.stream(&AMOUNTS).branch(|amount| amount.cents < 0);
    negative.to_dead_letters(|_| "it is negative");
    topology.stream(&AMOUNTS).to(&SUMS);
    others.for_each(&TOTALS, |amount, totals| totals.put(amount.key, amount.value));
    topology
        .timer(&TOTALS, Clock::Stream, Duration::from_secs(1), |total| Some(Timestamp(total.cents)))
        .to_dead_letters(|_| "nobody came for it");
    topology
}

#[test]
fn what_the_service_gives_up_is_put_aside_with_its_cause_and_where_it_follows_from() {
    counted("streams_dead_letters_total", ("cause", "it is negative"));
    let rig = Rig::new(giving_up());
    let streams = rig.start_and_await(giving_up());
    let written = rig
        .write([rig.encoded("a", 10_000).at_ms(10_000), rig.encoded("a", -5).header("colour", "blue").at_ms(11_000)]);
    let letters = eventually_blocking("both are put aside", DEADLINE, || {
        Some(rig.read("adder-dead-letters")).filter(|letters| letters.len() >= 2)
    });
    let with = |cause: &str| {
        let is_its = |letter: &&RawRecord| letter.header_value("dead-letter-cause") == Some(cause.as_bytes());
        letters.iter().find(is_its).expect("it is there")
    };
    let negative = with("it is negative");
    assert_eq!((negative.key_text(), rig.decoded(negative).cents), ("a", -5));
    assert_eq!(negative.header_value("dead-letter-topic"), Some(rig.settings.topic("amounts").as_bytes()));
    assert_eq!(negative.header_value("dead-letter-offset"), Some(text(written[1].offset).as_slice()));
    assert_eq!(negative.header_value("colour"), Some(b"blue".as_slice()), "its own headers stay");

    let forgotten = with("nobody came for it");
    assert_eq!((forgotten.key_text(), rig.decoded(forgotten).cents), ("a", 10_000));
    assert_eq!(forgotten.header_value("dead-letter-store"), Some(b"totals".as_slice()));
    assert_eq!(forgotten.header_value("dead-letter-timestamp"), Some(b"11000".as_slice()));
    assert_eq!(forgotten.header_value("dead-letter-topic"), None, "it follows from no record");
    assert_eq!(rig.sums().len(), 2, "what else is done with a record counts");
    let count = counted("streams_dead_letters_total", ("cause", "it is negative"));
    assert!((count - 1.0).abs() < f64::EPSILON, "{count}");
    streams.join();
}
