//! Which sub-topologies only send on.

use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::{Store, Topic, Topology};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    sensor: String,
    room: String,
}

impl AvroRecord for Reading {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Reading", "fields": [
        {"name": "sensor", "type": "string"}, {"name": "room", "type": "string"}]}"#;
}

const READINGS: Topic<Reading> = Topic::new("readings", "sensors", |reading| reading.sensor.clone());
const LATEST: Topic<Reading> = Topic::new("latest", "sensors", |reading: &Reading| reading.sensor.clone()).compacted();
const ROOMS: Topic<Reading> = Topic::new("rooms", "heat", |reading| reading.room.clone());
const SEEN: Store<Reading> = Store::new("seen");

/// Which sub-topologies forward, in their order.
fn forwarding(topology: Topology) -> Vec<bool> {
    topology
        .build()
        .expect("the topology is right")
        .describe()
        .sub_topologies
        .iter()
        .map(|part| part.forwards)
        .collect()
}

fn room(reading: &Reading) -> String {
    reading.room.clone()
}

#[test]
fn a_step_that_filters_maps_and_sends_on_under_another_key_forwards() {
    let topology = Topology::new("heat");
    let readings = topology.stream(&READINGS).map(|reading| reading.value.clone());
    let (indoors, outdoors) = readings.branch(|reading| !reading.room.is_empty());
    indoors.rekey("by-room", room).process(&SEEN, |reading, _| [reading.value.clone()]).to(&ROOMS);
    // What else it says does not keep it from forwarding.
    outdoors.to(&ROOMS);
    assert_eq!(forwarding(topology), [true, false]);
}

#[test]
fn a_chain_of_steps_that_send_on_forwards_all_along() {
    let topology = Topology::new("heat");
    let by_room = topology.stream(&READINGS).rekey("by-room", room);
    by_room.filter(|reading| !reading.room.is_empty()).rekey("by-sensor", |reading| reading.sensor.clone()).to(&ROOMS);
    assert_eq!(forwarding(topology), [true, true, false]);
}

#[test]
fn a_step_that_sends_nothing_on_does_not_forward() {
    let topology = Topology::new("heat");
    topology.stream(&READINGS).to(&ROOMS);
    assert_eq!(forwarding(topology), [false]);
}

#[test]
fn a_step_that_remembers_does_not_forward() {
    let topology = Topology::new("heat");
    topology.stream(&READINGS).process(&SEEN, |reading, _| [reading.value.clone()]).rekey("by-room", room).to(&ROOMS);
    assert_eq!(forwarding(topology), [false, false]);

    let topology = Topology::new("heat");
    let (_, latest) = topology.table(&LATEST);
    latest.rekey("by-room", room).to(&ROOMS);
    assert_eq!(forwarding(topology), [false, false]);

    let topology = Topology::new("heat");
    topology.bootstrap(&READINGS).rekey("by-room", room).to(&ROOMS);
    assert_eq!(forwarding(topology), [false, false]);
}

#[test]
fn a_step_with_more_inputs_than_its_reader_can_tell_apart_does_not_forward() {
    let family = |count: usize| {
        let topology = Topology::new("heat");
        for number in 0..count {
            let name = format!("readings-{number:02}");
            let readings = Topic::<Reading>::named(name, "sensors".to_string(), |reading| reading.sensor.clone());
            topology.stream(&readings).rekey("by-room", room).to(&ROOMS);
        }
        forwarding(topology)[0]
    };
    // Of each four partitions, at 71 bytes.
    assert!(family(14));
    assert!(!family(15));
}
