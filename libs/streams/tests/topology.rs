//! Every word of the vocabulary, through the test driver.

use std::time::Duration;

use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::{Clock, Refusal, Store, TestDriver, Timestamp, Topic, Topology, TopologyError};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    sensor: String,
    room: String,
    celsius: i64,
}

impl AvroRecord for Reading {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Reading", "fields": [
        {"name": "sensor", "type": "string"}, {"name": "room", "type": "string"}, {"name": "celsius", "type": "long"}]}"#;
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Count {
    count: i64,
    since: i64,
}

impl AvroRecord for Count {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Count", "fields": [
        {"name": "count", "type": "long"}, {"name": "since", "type": "long"}]}"#;
}

const READINGS: Topic<Reading> = Topic::new("readings", "sensors", |reading| reading.sensor.clone());
const MORE_READINGS: Topic<Reading> = Topic::new("more-readings", "sensors", |reading| reading.sensor.clone());
const LATEST: Topic<Reading> = Topic::new("latest", "sensors", |reading: &Reading| reading.sensor.clone()).compacted();
const HOT: Topic<Reading> = Topic::new("hot", "heat", |reading| reading.sensor.clone());
const COLD: Topic<Reading> = Topic::new("cold", "heat", |reading| reading.sensor.clone());
const BY_ROOM: Topic<Reading> = Topic::new("by-room", "heat", |reading| reading.room.clone());
const COUNTS: Store<Count> = Store::new("counts");

fn reading(sensor: &str, room: &str, celsius: i64) -> Reading {
    Reading { sensor: sensor.to_string(), room: room.to_string(), celsius }
}

fn celsius(readings: &[Reading]) -> Vec<i64> {
    readings.iter().map(|reading| reading.celsius).collect()
}

/// Counts the records of each key, panics at 13 and writes nothing for 0.
fn counting(topology: &Topology) {
    topology
        .stream(&READINGS)
        .process(&COUNTS, |reading, counts| {
            let before = counts.get(reading.key).unwrap_or_default();
            let since = if before.count == 0 { reading.timestamp.as_millis() } else { before.since };
            counts.put(reading.key, &Count { count: before.count + 1, since });
            assert!(reading.celsius != 13, "thirteen");
            (reading.celsius != 0).then(|| reading.value.clone())
        })
        .to(&HOT);
}

#[test]
fn filter_map_and_branch_pass_on_what_they_should() {
    let topology = Topology::new("heat");
    let doubled = topology
        .stream(&READINGS)
        .filter(|reading| reading.celsius != 5)
        .map(|reading| Reading { celsius: reading.celsius * 2, ..reading.value.clone() });
    let (hot, cold) = doubled.branch(|reading| reading.celsius >= 40);
    hot.to(&HOT);
    cold.to(&COLD);
    let mut driver = TestDriver::new(topology).unwrap();
    for celsius in [5, 19, 20, 30] {
        driver.pipe(&READINGS, &reading("a", "attic", celsius));
    }
    assert_eq!(celsius(&driver.read(&HOT)), [40, 60]);
    assert_eq!(celsius(&driver.read(&COLD)), [38]);
    assert!(driver.read(&HOT).is_empty(), "what was read is gone");
}

#[test]
fn merged_inputs_share_the_store_behind_them() {
    let topology = Topology::new("heat");
    topology
        .stream(&READINGS)
        .merge(topology.stream(&MORE_READINGS))
        .process(&COUNTS, |reading, counts| {
            let count = counts.get(reading.key).unwrap_or_default().count + 1;
            counts.put(reading.key, &Count { count, since: 0 });
            None::<Reading>
        })
        .to(&HOT);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&READINGS, &reading("a", "attic", 1));
    driver.pipe(&MORE_READINGS, &reading("a", "attic", 2));
    driver.pipe(&MORE_READINGS, &reading("b", "attic", 2));
    assert_eq!(driver.stored(&COUNTS, "a").unwrap().count, 2);
    assert_eq!(driver.stored(&COUNTS, "b").unwrap().count, 1);
    assert_eq!(driver.stored(&COUNTS, "c"), None);
}

#[test]
fn rekeyed_records_meet_under_their_new_key_in_a_sub_topology_of_their_own() {
    let topology = Topology::new("heat");
    topology
        .stream(&READINGS)
        .rekey("by-room", |reading| reading.room.clone())
        .process(&COUNTS, |reading, counts| {
            let count = counts.get(reading.key).unwrap_or_default().count + reading.celsius;
            counts.put(reading.key, &Count { count, since: 0 });
            Some(reading.value.clone())
        })
        .to(&BY_ROOM);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&READINGS, &reading("a", "attic", 1));
    driver.pipe(&READINGS, &reading("b", "attic", 2));
    driver.pipe(&READINGS, &reading("c", "cellar", 4));
    assert_eq!(driver.stored(&COUNTS, "attic").unwrap().count, 3);
    assert_eq!(driver.stored(&COUNTS, "cellar").unwrap().count, 4);
    assert_eq!(celsius(&driver.read(&BY_ROOM)), [1, 2, 4]);

    let topology = Topology::new("heat");
    topology.stream(&READINGS).rekey("by-room", |reading| reading.room.clone()).to(&BY_ROOM);
    let graph = topology.build().unwrap();
    assert_eq!(graph.sub_topology("readings"), Some(0));
    assert_eq!(graph.sub_topology("heat-by-room-repartition"), Some(1));
    let private: Vec<_> = graph.describe().writes.into_iter().map(|topic| topic.name).collect();
    assert_eq!(private, ["heat-by-room-repartition", "by-room", "heat-dead-letters"]);
}

#[test]
fn a_table_holds_the_latest_value_of_each_key_and_forgets_removed_ones() {
    let topology = Topology::new("heat");
    let (latest, changes) = topology.table(&LATEST);
    changes.to(&HOT);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&LATEST, &reading("a", "attic", 1));
    driver.pipe(&LATEST, &reading("a", "attic", 2));
    assert_eq!(driver.stored(&latest, "a").unwrap().celsius, 2);
    driver.pipe_raw("latest", Some(b"a"), None, Timestamp(3));
    assert_eq!(driver.stored(&latest, "a"), None);
    assert_eq!(celsius(&driver.read(&HOT)), [1, 2]);
    assert!(driver.dead_letters().is_empty());
}

#[test]
fn a_table_holds_what_its_topic_says_whatever_becomes_of_it_further_on() {
    let topology = Topology::new("heat");
    let (latest, changes) = topology.table(&LATEST);
    changes
        .map(|reading| {
            assert!(reading.celsius != 13, "thirteen");
            reading.value.clone()
        })
        .to(&HOT);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&LATEST, &reading("a", "attic", 1));
    driver.pipe(&LATEST, &reading("a", "attic", 13));
    driver.pipe_raw("latest", Some(b"a"), Some(b"no avro"), Timestamp(3));
    assert_eq!(driver.stored(&latest, "a").unwrap().celsius, 13, "what was read last");
    assert_eq!(celsius(&driver.read(&HOT)), [1]);
    assert_eq!(driver.dead_letters().len(), 2);
}

#[test]
fn a_timer_that_panics_over_an_entry_refuses_the_record_that_wrote_it() {
    let topology = Topology::new("heat");
    counting(&topology);
    let since = |count: &Count| {
        assert!(count.count < 2, "two");
        Some(Timestamp(count.since))
    };
    topology.timer(&COUNTS, Clock::Wall, Duration::from_secs(5), since).map(|c| late(&c, c.key, c.timestamp)).to(&COLD);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&READINGS, &reading("a", "attic", 1));
    driver.pipe(&READINGS, &reading("a", "attic", 2));
    assert!(matches!(&driver.dead_letters()[0].cause, Refusal::Panicked(text) if text.contains("two")));
    assert_eq!(driver.stored(&COUNTS, "a").unwrap().count, 1);
    assert_eq!(celsius(&driver.read(&HOT)), [1]);
}

#[test]
fn a_handler_that_panics_leaves_nothing_and_the_next_record_goes_on() {
    let topology = Topology::new("heat");
    counting(&topology);
    let mut driver = TestDriver::new(topology).unwrap();
    for celsius in [1, 13, 2] {
        driver.pipe(&READINGS, &reading("a", "attic", celsius));
    }
    assert_eq!(driver.stored(&COUNTS, "a").unwrap().count, 2, "the write before the panic does not count");
    assert_eq!(celsius(&driver.read(&HOT)), [1, 2]);
    let letters = driver.dead_letters();
    assert!(matches!(&letters[0].cause, Refusal::Panicked(text) if text.contains("thirteen")), "{letters:?}");
    assert_eq!(letters.len(), 1);
}

#[test]
fn what_cannot_be_read_goes_to_the_dead_letters_with_its_cause() {
    let topology = Topology::new("heat");
    counting(&topology);
    let mut driver = TestDriver::new(topology).unwrap();
    let at = Timestamp(1);
    driver.pipe_raw("readings", None, Some(b"x"), at);
    driver.pipe_raw("readings", Some(&[0xff]), Some(b"x"), at);
    driver.pipe_raw("readings", Some(b"a"), None, at);
    driver.pipe_raw("readings", Some(b"a"), Some(b"no avro"), at);
    driver.pipe_raw("readings", Some(b"a"), Some(&[0, 0, 0, 0, 99, 1]), at);
    let causes: Vec<_> = driver.dead_letters().into_iter().map(|letter| letter.cause).collect();
    assert!(
        matches!(
            causes.as_slice(),
            [Refusal::NoKey, Refusal::KeyNotUtf8, Refusal::NoValue, Refusal::Undecodable(_), Refusal::Undecodable(_)]
        ),
        "{causes:?}"
    );
    driver.pipe(&READINGS, &reading("a", "attic", 1));
    assert_eq!(celsius(&driver.read(&HOT)), [1]);
}

#[test]
fn what_the_broker_would_refuse_is_refused_before_it_is_sent() {
    let topology = Topology::new("heat");
    topology.stream(&READINGS).map(|reading| Reading { room: "x".repeat(2_000_000), ..reading.value.clone() }).to(&HOT);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&READINGS, &reading("a", "attic", 1));
    assert!(matches!(&driver.dead_letters()[0].cause, Refusal::TooLarge { topic, .. } if topic == "hot"));

    let topology = Topology::new("heat");
    counting(&topology);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&READINGS, &reading(&"a".repeat(70_000), "attic", 1));
    assert!(matches!(&driver.dead_letters()[0].cause, Refusal::KeyTooLong { bytes: 70_000, .. }));
    let two_hours_ahead = driver.now() + Duration::from_secs(7200);
    driver.pipe_at(&READINGS, two_hours_ahead, &reading("a", "attic", 1));
    assert!(matches!(driver.dead_letters()[0].cause, Refusal::Future(_)));
    assert_eq!(driver.stored(&COUNTS, "a"), None);
}

fn since(count: &Count) -> Option<Timestamp> {
    (count.since > 0).then_some(Timestamp(count.since))
}

fn late(count: &Count, sensor: &str, at: Timestamp) -> Reading {
    reading(sensor, "late", count.count * 1_000_000 + at.as_millis())
}

#[test]
fn a_wall_clock_timer_fires_once_for_each_entry_whose_time_has_come() {
    let topology = Topology::new("heat");
    counting(&topology);
    topology
        .timer(&COUNTS, Clock::Wall, Duration::from_secs(5), since)
        .map(|count| late(&count, count.key, count.timestamp))
        .to(&COLD);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&READINGS, &reading("a", "attic", 1));
    driver.advance(Duration::from_secs(2));
    driver.pipe(&READINGS, &reading("b", "attic", 1));
    driver.advance(Duration::from_millis(2999));
    assert!(driver.read(&COLD).is_empty());
    driver.advance(Duration::from_millis(1));
    assert_eq!(driver.read(&COLD), [reading("a", "late", 1_006_000)]);
    driver.advance(Duration::from_secs(60));
    assert_eq!(driver.read(&COLD), [reading("b", "late", 1_066_000)]);
    driver.advance(Duration::from_secs(60));
    assert!(driver.read(&COLD).is_empty());
}

#[test]
fn a_wall_clock_deadline_is_not_before_the_task_has_caught_up() {
    let topology = Topology::new("heat");
    counting(&topology);
    topology.timer(&COUNTS, Clock::Wall, Duration::from_secs(5), since).map(|c| late(&c, c.key, c.timestamp)).to(&COLD);
    let mut driver = TestDriver::new(topology).unwrap();
    // Long ago: when the driver's clock stands at 1 s the task has only just caught up.
    driver.pipe_at(&READINGS, Timestamp(1), &reading("a", "attic", 1));
    driver.advance(Duration::from_millis(4999));
    assert!(driver.read(&COLD).is_empty());
    driver.advance(Duration::from_millis(1));
    assert_eq!(driver.read(&COLD).len(), 1);
}

#[test]
fn a_stream_time_timer_follows_the_records_and_not_the_clock() {
    let topology = Topology::new("heat");
    counting(&topology);
    topology
        .timer(&COUNTS, Clock::Stream, Duration::from_secs(5), since)
        .map(|count| late(&count, count.key, count.timestamp))
        .to(&COLD);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe_at(&READINGS, Timestamp(10_000), &reading("a", "attic", 1));
    driver.advance(Duration::from_secs(3600));
    assert!(driver.read(&COLD).is_empty());
    driver.pipe_at(&READINGS, Timestamp(14_999), &reading("b", "attic", 1));
    assert!(driver.read(&COLD).is_empty());
    driver.pipe_at(&READINGS, Timestamp(15_000), &reading("c", "attic", 1));
    assert_eq!(driver.read(&COLD), [reading("a", "late", 1_015_000)], "at the moment it was due");
    driver.pipe_at(&READINGS, Timestamp(9_000), &reading("c", "attic", 1));
    assert!(driver.read(&COLD).is_empty(), "a late record does not turn time back");
}

#[test]
fn a_topology_that_cannot_be_right_is_refused_when_it_is_built() {
    const FOREIGN: Topic<Reading> = Topic::new("foreign", "somebody-else", |reading| reading.sensor.clone());
    const READINGS_AS_COUNTS: Topic<Count> = Topic::new("readings", "sensors", |_| String::new());

    assert_eq!(Topology::new("heat").build().unwrap_err(), TopologyError::NoSource);

    let topology = Topology::new("heat");
    topology.stream(&READINGS).to(&FOREIGN);
    assert!(
        matches!(topology.build().unwrap_err(), TopologyError::ForeignSink { writer, .. } if writer == "somebody-else")
    );

    let topology = Topology::new("heat");
    topology.stream(&READINGS).to(&HOT);
    topology.stream(&READINGS_AS_COUNTS).filter(|_| false).process(&COUNTS, |_, _| None::<Reading>).to(&HOT);
    assert_eq!(topology.build().unwrap_err(), TopologyError::TwoTypes("readings".to_string()));
}

#[test]
fn a_description_names_everything_that_is_derived() {
    let topology = Topology::new("heat");
    counting(&topology);
    let graph = topology.build().unwrap();
    let description = graph.describe();
    assert_eq!(description.reads, ["readings"]);
    let writes: Vec<_> = description.writes.iter().map(|topic| topic.name.as_str()).collect();
    assert_eq!(writes, ["hot", "heat-counts-changelog", "heat-dead-letters"]);
    assert!(description.writes.iter().all(|topic| topic.writer == "heat"));
    assert_eq!(description.sub_topologies[0].stores["counts"], "heat-counts-changelog");
    let drawing = graph.drawing();
    assert!(
        drawing.starts_with("flowchart") && drawing.contains("readings") && drawing.contains("counts"),
        "{drawing}"
    );
}
