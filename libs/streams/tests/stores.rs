//! Stores side by side, stores that are topics, and joins with tables.
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::{Refusal, Store, TestDriver, Timestamp, Topic, Topology, TopologyError};

/// Litres of something, in a tank or under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Volume {
    tank: String,
    litres: i64,
}

impl AvroRecord for Volume {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Volume", "fields": [
        {"name": "tank", "type": "string"}, {"name": "litres", "type": "long"}]}"#;
}

const POURED: Topic<Volume> = Topic::new("poured", "taps", |volume| volume.tank.clone());
const LEVELS: Topic<Volume> = Topic::new("levels", "tanks", |volume: &Volume| volume.tank.clone()).compacted();
const SIZES: Topic<Volume> = Topic::new("sizes", "makers", |volume: &Volume| volume.tank.clone()).compacted();
const SAID: Topic<Volume> = Topic::new("said", "tanks", |volume| volume.tank.clone());
const LARGEST: Store<Volume> = Store::new("largest");

fn volume(tank: &str, litres: i64) -> Volume {
    Volume { tank: tank.to_string(), litres }
}

/// Adds up what is poured into each tank, and keeps the largest pour beside it. Thirteen litres make it stumble.
fn tanks() -> Topology {
    let topology = Topology::new("tanks");
    topology
        .stream(&POURED)
        .process(&(Store::published(&LEVELS), LARGEST), |poured, (levels, largest)| {
            let level = levels.get(poured.key).unwrap_or_default();
            levels.put(poured.key, &volume(poured.key, level.litres + poured.litres));
            assert!(poured.litres != 13, "thirteen");
            if largest.get(poured.key).is_none_or(|largest| largest.litres < poured.litres) {
                largest.put(poured.key, poured.value);
            }
            None::<Volume>
        })
        .to(&SAID);
    topology
}

#[test]
fn a_handler_changes_several_stores_or_none() {
    let mut driver = TestDriver::new(tanks()).unwrap();
    for litres in [5, 7, 13, 2] {
        driver.pipe(&POURED, &volume("a", litres));
    }
    assert_eq!(driver.stored(&Store::published(&LEVELS), "a"), Some(volume("a", 14)));
    assert_eq!(driver.stored(&LARGEST, "a"), Some(volume("a", 7)));
    assert_eq!(driver.dead_letters().len(), 1);
}

#[test]
fn a_store_that_is_a_topic_writes_its_changes_there_and_has_no_other_changelog() {
    let mut driver = TestDriver::new(tanks()).unwrap();
    driver.pipe(&POURED, &volume("a", 5));
    driver.pipe(&POURED, &volume("a", 7));
    assert_eq!(driver.read(&LEVELS), [volume("a", 5), volume("a", 12)]);
    let description = tanks().build().unwrap().describe();
    let writes: Vec<_> = description.writes.iter().map(|topic| topic.name.as_str()).collect();
    assert_eq!(writes, ["said", "levels", "tanks-largest-changelog", "tanks-dead-letters"]);
    assert_eq!(description.writes[1], LEVELS.declaration());
    assert_eq!(description.sub_topologies[0].stores["levels"], "levels");
}

#[test]
fn a_value_under_the_key_of_another_is_refused() {
    let topology = Topology::new("tanks");
    topology
        .stream(&POURED)
        .process(&Store::published(&LEVELS), |poured, levels| {
            levels.put("b", poured.value);
            None::<Volume>
        })
        .to(&SAID);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&POURED, &volume("a", 5));
    let dead = driver.dead_letters();
    assert!(
        matches!(&dead[0].cause, Refusal::WrongKey { key, derived, .. } if key == "b" && derived == "a"),
        "{dead:?}"
    );
    assert_eq!(driver.stored(&Store::published(&LEVELS), "b"), None);
}

#[test]
fn a_store_can_only_be_a_compacted_topic_of_its_service() {
    const KEPT: Topic<Volume> = Topic::new("kept", "tanks", |volume| volume.tank.clone());
    let refused = |service: &str, topic: &Topic<Volume>| {
        let topology = Topology::new(service);
        topology.stream(&POURED).process(&Store::published(topic), |_, _| None::<Volume>);
        topology.build().unwrap_err()
    };
    assert_eq!(refused("tanks", &KEPT), TopologyError::NotCompacted("kept".into()));
    let foreign = TopologyError::ForeignSink { topic: "levels".into(), writer: "tanks".into() };
    assert_eq!(refused("barrels", &LEVELS), foreign);
}

#[test]
fn a_record_is_joined_with_what_the_table_has_at_that_moment() {
    let topology = Topology::new("tanks");
    let (sizes, _) = topology.table(&SIZES);
    topology.stream(&POURED).join(&sizes, |poured, size| volume(poured.key, size.litres - poured.litres)).to(&SAID);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&POURED, &volume("a", 1));
    driver.pipe(&SIZES, &volume("a", 100));
    driver.pipe(&POURED, &volume("a", 2));
    driver.pipe(&SIZES, &volume("a", 200));
    driver.pipe(&POURED, &volume("a", 3));
    driver.pipe_raw("sizes", Some(b"a"), None, Timestamp(1000));
    driver.pipe(&POURED, &volume("a", 4));
    assert_eq!(driver.read(&SAID), [volume("a", 98), volume("a", 197)]);
}

#[test]
fn a_left_join_misses_no_record() {
    let topology = Topology::new("tanks");
    let (sizes, _) = topology.table(&SIZES);
    let rest = |size: Option<Volume>, litres: i64| size.map_or(-1, |size| size.litres - litres);
    topology
        .stream(&POURED)
        .left_join(&sizes, move |poured, size| volume(poured.key, rest(size, poured.litres)))
        .to(&SAID);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&POURED, &volume("a", 1));
    driver.pipe(&SIZES, &volume("a", 100));
    driver.pipe(&POURED, &volume("a", 2));
    assert_eq!(driver.read(&SAID), [volume("a", -1), volume("a", 98)]);
}

#[test]
fn tables_and_bootstrap_streams_are_read_before_other_inputs() {
    let topology = Topology::new("tanks");
    let (sizes, _) = topology.table(&SIZES);
    let pours = topology.bootstrap(&POURED).map(|poured| poured.value.clone());
    pours.merge(topology.stream(&LEVELS)).join(&sizes, |_, size| size).to(&SAID);
    let graph = topology.build().unwrap();
    let held_back: Vec<_> =
        graph.inputs().map(|topic| &*topic.name).filter(|topic| graph.is_held_back(topic)).collect();
    assert_eq!(held_back, ["levels"]);

    let topology = Topology::new("tanks");
    let poured = topology.stream(&POURED).merge(topology.bootstrap(&POURED));
    poured.merge(topology.stream(&LEVELS)).to(&SAID);
    assert!(topology.build().unwrap().is_held_back("levels"), "a stream that is asked for twice may come first too");
}
