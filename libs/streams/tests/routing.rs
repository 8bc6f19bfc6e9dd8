//! Records that go to one of several topics, and records that the service itself gives up.
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::time::Duration;

use avro_codec::{AvroRecord, Schemas};
use serde::{Deserialize, Serialize};
use streams::{
    Clock, GivenUp, Input, Limits, Refusal, Store, Task, TaskId, TestDriver, Timestamp, Topic, Topology, TopologyError,
    subject,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Parcel {
    id: String,
    grams: i64,
}

impl AvroRecord for Parcel {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Parcel", "fields": [
        {"name": "id", "type": "string"}, {"name": "grams", "type": "long"}]}"#;
}

/// As nobody writes it into a topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
}

impl AvroRecord for Note {
    const SCHEMA: &'static str =
        r#"{"type": "record", "name": "Note", "fields": [{"name": "text", "type": "string"}]}"#;
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Size {
    Small,
    Large,
    Huge,
}

const PARCELS: Topic<Parcel> = Topic::new("parcels", "senders", |parcel| parcel.id.clone());
const SMALL: Topic<Parcel> = Topic::new("small", "sorter", |parcel| parcel.id.clone());
const LARGE: Topic<Parcel> = Topic::new("large", "sorter", |parcel| parcel.id.clone());
const SEEN: Topic<Parcel> = Topic::new("seen", "sorter", |parcel| parcel.id.clone());
const SHELF: Store<Parcel> = Store::new("shelf");

fn parcel(id: &str, grams: i64) -> Parcel {
    Parcel { id: id.to_string(), grams }
}

fn size(grams: i64) -> Size {
    match grams {
        ..=999 => Size::Small,
        1_000..=9_999 => Size::Large,
        _ => Size::Huge,
    }
}

fn sorter() -> Topology {
    let topology = Topology::new("sorter");
    topology.stream(&PARCELS).route(&[(Size::Small, &SMALL), (Size::Large, &LARGE)], |parcel| size(parcel.grams));
    topology
}

/// Sees every parcel, gives those without weight up, and those that have lain on the shelf for a second.
fn shelf() -> Topology {
    let topology = Topology::new("sorter");
    let (empty, others) = topology.stream(&PARCELS).branch(|parcel| parcel.grams == 0);
    empty.map(|parcel| parcel_of(&parcel, 1)).to_dead_letters(|_| "it weighs nothing");
    topology.stream(&PARCELS).to(&SEEN);
    others.for_each(&SHELF, |parcel, shelf| shelf.put(parcel.key, parcel.value));
    topology
        .timer(&SHELF, Clock::Stream, Duration::from_secs(1), |parcel| Some(Timestamp(parcel.grams)))
        .to_dead_letters(|_| "nobody came for it");
    topology
}

fn parcel_of(parcel: &Parcel, grams: i64) -> Parcel {
    Parcel { grams, ..parcel.clone() }
}

#[test]
fn each_record_goes_to_the_topic_of_its_label() {
    let mut driver = TestDriver::new(sorter()).unwrap();
    for (id, grams) in [("a", 5), ("b", 5_000), ("c", 999)] {
        driver.pipe(&PARCELS, &parcel(id, grams));
    }
    assert_eq!(driver.read(&SMALL), [parcel("a", 5), parcel("c", 999)]);
    assert_eq!(driver.read(&LARGE), [parcel("b", 5_000)]);
}

#[test]
fn a_record_whose_label_has_no_topic_is_refused_and_says_so() {
    let mut driver = TestDriver::new(sorter()).unwrap();
    driver.pipe(&PARCELS, &parcel("a", 50_000));
    let dead = driver.dead_letters();
    assert_eq!(dead[0].cause, Refusal::NoRoute("Huge".into()));
    assert_eq!(dead[0].cause.to_string(), "no topic is declared for Huge");
    assert!(driver.read(&SMALL).is_empty() && driver.read(&LARGE).is_empty());
}

#[test]
fn a_description_shows_every_topic_that_may_be_chosen() {
    let graph = sorter().build().unwrap();
    assert_eq!(graph.describe().sub_topologies[0].sinks, ["small", "large"]);
    let drawing = graph.drawing();
    assert!(["route", "small", "large"].iter().all(|word| drawing.contains(word)), "{drawing}");
}

#[test]
fn a_topic_of_somebody_else_cannot_be_chosen() {
    let topology = Topology::new("carrier");
    topology.stream(&PARCELS).route(&[((), &SMALL)], |_| ());
    assert!(matches!(topology.build().unwrap_err(), TopologyError::ForeignSink { topic, .. } if topic == "small"));
}

#[test]
fn what_is_given_up_is_put_aside_as_it_was_then_and_the_rest_of_the_record_counts() {
    let mut driver = TestDriver::new(shelf()).unwrap();
    driver.pipe(&PARCELS, &parcel("a", 0));
    let dead = driver.dead_letters();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].topic.as_str(), &dead[0].cause), ("parcels", &Refusal::GivenUp("it weighs nothing")));
    assert_eq!(dead[0].cause.kind(), "it weighs nothing");
    let value = dead[0].value.as_deref().unwrap();
    let encoded = Schemas::local().encode("any", &parcel("a", 1)).unwrap();
    assert_eq!(value[5..], encoded[5..], "the value it had there");
    assert_eq!(driver.read(&SEEN), [parcel("a", 0)]);
}

#[test]
fn what_is_given_up_is_encoded_with_the_schema_of_a_topic_there_is() {
    let graph = shelf().build().unwrap();
    assert!(graph.given_up().all(|topic| topic.name == "seen"), "one that is written comes first");
    assert_eq!(graph.describe().sub_topologies[0].sinks, ["sorter-dead-letters", "seen", "sorter-dead-letters"]);

    let topology = Topology::new("sorter");
    topology.stream(&PARCELS).to_dead_letters(|_| "no");
    assert!(topology.build().unwrap().given_up().all(|topic| topic.name == "parcels"));

    let topology = Topology::new("sorter");
    topology.stream(&PARCELS).map(|parcel| Note { text: parcel.id.clone() }).to_dead_letters(|_| "no");
    assert!(matches!(topology.build().unwrap_err(), TopologyError::NoSchema(name) if name.contains("Note")));
}

#[test]
fn what_a_timer_gives_up_follows_from_a_store_and_from_no_record() {
    let (given_up, _) = given_up_at(1_000);
    let GivenUp { key, timestamp, cause, store, .. } = &given_up[0];
    assert_eq!((key.as_str(), *timestamp, store.as_deref()), ("a", Timestamp(1_500), Some("shelf")));
    assert_eq!(*cause, Refusal::GivenUp("nobody came for it"));
}

#[test]
fn an_aborted_epoch_gives_nothing_up() {
    let (_, mut task) = given_up_at(0);
    let lost = task.take_given_up();
    assert!(lost.is_empty());
}

/// What is given up when a parcel that weighs nothing comes after one that lies on the shelf since 500; and the task, with
/// another one of it in an epoch that was aborted.
fn given_up_at(after: i64) -> (Vec<GivenUp>, Task) {
    const LIMITS: Limits = Limits { max_record_bytes: 100_000, latest_timestamp: Timestamp(1_000_000) };
    let schemas = Schemas::local();
    let mut task = Task::new(shelf().build().unwrap(), schemas.clone(), TaskId { sub_topology: 0, partition: 0 });
    let mut outputs = Vec::new();
    let mut hear = |task: &mut Task, parcel: &Parcel, at: i64| {
        let value = schemas.encode(&subject("parcels"), parcel).unwrap();
        let input = Input {
            topic: "parcels",
            key: Some(parcel.id.as_bytes()),
            value: Some(&value),
            timestamp: Timestamp(at),
            trace: None,
        };
        task.process(input, LIMITS, &mut outputs).unwrap();
        while let Some(fired) = task.fire(None, LIMITS, &mut outputs) {
            fired.unwrap();
        }
    };
    hear(&mut task, &parcel("a", 500), 500);
    task.commit(|_| None, |_, _| {}).unwrap();
    hear(&mut task, &parcel("b", 700), 500 + after);
    let given_up = task.take_given_up();
    hear(&mut task, &parcel("c", 0), 500 + after);
    task.abort();
    (given_up, task)
}
