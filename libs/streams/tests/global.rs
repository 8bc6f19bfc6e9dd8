//! Global tables and tables, looked up by handlers and joins.
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use avro_codec::{AvroRecord, Schemas};
use serde::{Deserialize, Serialize};
use streams::{GlobalTables, Refusal, Store, TestDriver, Timestamp, Topic, Topology, TopologyError, subject};

/// Words in some language, or what somebody calls something.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Name {
    thing: String,
    name: String,
}

impl AvroRecord for Name {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Name", "fields": [
        {"name": "thing", "type": "string"}, {"name": "name", "type": "string"}]}"#;
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Letter {
    letter: String,
}

impl AvroRecord for Letter {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Letter", "fields": [
        {"name": "letter", "type": "string"}]}"#;
}

const ASKED: Topic<Name> = Topic::new("asked", "travellers", |name| name.thing.clone());
const NAMES: Topic<Name> = Topic::new("names", "locals", |name: &Name| name.thing.clone()).compacted();
const SAID: Topic<Name> = Topic::new("said", "guide", |name| name.thing.clone());
const HEARD: Store<Name> = Store::new("heard");

fn name(thing: &str, name: &str) -> Name {
    Name { thing: thing.to_string(), name: name.to_string() }
}

/// Looks up what is asked for under its name, not under its key, and remembers what was said.
fn guide() -> Topology {
    let topology = Topology::new("guide");
    let names = topology.global_table(&NAMES);
    topology
        .stream(&ASKED)
        .process(&(names, HEARD), |asked, (names, heard)| {
            let found = names.get(&asked.name);
            found.iter().for_each(|found| heard.put(asked.key, found));
            found
        })
        .to(&SAID);
    topology
}

fn said(driver: &mut TestDriver) -> Vec<String> {
    driver.read(&SAID).into_iter().map(|said| said.name).collect()
}

#[test]
fn a_handler_looks_up_any_key_and_finds_what_is_there_now() {
    let mut driver = TestDriver::new(guide()).unwrap();
    driver.pipe(&ASKED, &name("1", "river"));
    driver.pipe(&NAMES, &name("river", "Spree"));
    driver.pipe(&ASKED, &name("2", "river"));
    driver.pipe(&NAMES, &name("river", "Havel"));
    driver.pipe(&ASKED, &name("3", "river"));
    driver.pipe(&ASKED, &name("4", "hill"));
    driver.pipe_raw("names", Some(b"river"), None, Timestamp(1000));
    driver.pipe(&ASKED, &name("5", "river"));
    assert_eq!(said(&mut driver), ["Spree", "Havel"]);
    assert_eq!(driver.stored(&HEARD, "3"), Some(name("river", "Havel")));
    assert!(driver.dead_letters().is_empty());
}

#[test]
fn a_join_looks_up_under_the_key_it_is_given() {
    let topology = Topology::new("guide");
    let names = topology.global_table(&NAMES);
    let asked = topology.stream(&ASKED);
    asked.clone().join_global(&names, |asked| asked.name.clone(), |_, found| found).to(&SAID);
    asked
        .left_join_global(&names, |asked| asked.name.clone(), |asked, found| found.unwrap_or(name(asked.key, "?")))
        .to(&SAID);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&ASKED, &name("1", "river"));
    assert_eq!(said(&mut driver), ["?"]);
    driver.pipe(&NAMES, &name("river", "Spree"));
    driver.pipe(&ASKED, &name("2", "river"));
    assert_eq!(said(&mut driver), ["Spree", "Spree"]);
}

#[test]
fn what_cannot_be_read_is_kept_out_and_changes_nothing() {
    let mut driver = TestDriver::new(guide()).unwrap();
    driver.pipe(&NAMES, &name("river", "Spree"));
    driver.pipe_raw("names", Some(b"river"), Some(b"no avro"), Timestamp(1000));
    driver.pipe_raw("names", None, Some(b"no key"), Timestamp(1000));
    driver.pipe_raw("names", Some(&[0xff]), None, Timestamp(1000));
    let causes: Vec<_> = driver.dead_letters().into_iter().map(|dead| dead.cause).collect();
    assert!(matches!(causes.as_slice(), [Refusal::Undecodable(_), Refusal::NoKey, Refusal::KeyNotUtf8]), "{causes:?}");
    driver.pipe(&ASKED, &name("1", "river"));
    assert_eq!(said(&mut driver), ["Spree"]);
}

#[test]
fn a_global_table_does_not_move_stream_time() {
    let topology = Topology::new("guide");
    let names = topology.global_table(&NAMES);
    topology.stream(&ASKED).for_each(&(names, HEARD), |asked, (_, heard)| heard.put(asked.key, asked.value));
    let after = std::time::Duration::from_millis(10);
    topology
        .timer(&HEARD, streams::Clock::Stream, after, |_| Some(Timestamp(100)))
        .map(|it| it.value.clone())
        .to(&SAID);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe_at(&ASKED, Timestamp(100), &name("1", "river"));
    driver.pipe_at(&NAMES, Timestamp(5000), &name("river", "Spree"));
    assert!(said(&mut driver).is_empty());
    driver.pipe_at(&ASKED, Timestamp(110), &name("2", "river"));
    assert!(!said(&mut driver).is_empty());
}

#[test]
fn a_global_table_is_read_whole_whatever_its_partitions_and_changes_no_sub_topology() {
    let topology = Topology::new("guide");
    let names = topology.global_table(&NAMES);
    let lookup = |asked: streams::Record<'_, Name>, names: streams::Lookup<'_, Name>| names.get(&asked.name);
    topology.stream(&ASKED).process(&names, lookup).to(&SAID);
    topology.stream(&ASKED).rekey("by-name", |asked| asked.name.clone()).process(&names, lookup).to(&SAID);
    let graph = topology.build().unwrap();
    assert_ne!(graph.sub_topology("asked"), graph.sub_topology("guide-by-name-repartition"));
    assert_eq!(graph.sub_topology("names"), None, "no task reads it");
    let description = graph.describe();
    assert_eq!(description.reads, ["asked", "guide-by-name-repartition", "names"]);
    assert_eq!(description.global_tables, ["names"]);
    assert!(graph.drawing().contains("g0[(\"names\")]"), "{}", graph.drawing());
}

#[test]
fn a_global_table_is_of_one_type_and_one_topology() {
    const LETTERS: Topic<Letter> = Topic::new("names", "locals", |letter| letter.letter.clone());
    let topology = Topology::new("guide");
    topology.stream(&ASKED).to(&SAID);
    topology.global_table(&NAMES);
    topology.global_table(&LETTERS);
    assert_eq!(topology.build().unwrap_err(), TopologyError::TwoTypes("names".into()));

    let foreign = Topology::new("other").global_table(&NAMES);
    let topology = Topology::new("guide");
    topology.stream(&ASKED).process(&foreign, |asked, names| names.get(&asked.name)).to(&SAID);
    assert_eq!(topology.build().unwrap_err(), TopologyError::ForeignTable("names".into()));
}

#[test]
fn an_update_of_another_topic_changes_nothing() {
    let (graph, schemas) = (guide().build().unwrap(), Schemas::local());
    let value = schemas.encode(&subject("other"), &name("river", "Spree")).unwrap();
    let tables = GlobalTables::new(graph);
    assert_eq!(tables.update(&schemas, "other", None, Some(&value)), Ok(()));
    assert_eq!(tables.update(&schemas, "names", None, Some(&value)), Err(Refusal::NoKey));
}

#[test]
fn a_table_is_looked_up_and_not_written() {
    let topology = Topology::new("guide");
    let (names, _) = topology.table(&NAMES);
    // `names` has no `put` here: what a handler wrote would be gone when the table is restored from its topic.
    topology.stream(&ASKED).process(&names, |asked, names| names.get(asked.key)).to(&SAID);
    let mut driver = TestDriver::new(topology).unwrap();
    driver.pipe(&NAMES, &name("river", "Spree"));
    driver.pipe(&ASKED, &name("river", "what?"));
    assert_eq!(said(&mut driver), ["Spree"]);
}
