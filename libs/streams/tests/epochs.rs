//! A task between two commits: what is seen inside, what is left after an abort.
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::sync::Arc;
use std::time::Duration;

use avro_codec::{AvroRecord, Schemas};
use serde::{Deserialize, Serialize};
use streams::{Clock, Graph, Input, Limits, Store, Task, TaskId, Timestamp, Topic, Topology, subject};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tally {
    name: String,
    sum: i64,
}

impl AvroRecord for Tally {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Tally", "fields": [
        {"name": "name", "type": "string"}, {"name": "sum", "type": "long"}]}"#;
}

const AMOUNTS: Topic<Tally> = Topic::new("amounts", "tills", |tally| tally.name.clone());
const SUMS: Topic<Tally> = Topic::new("sums", "adder", |tally| tally.name.clone());
const CLOSED: Topic<Tally> = Topic::new("closed", "adder", |tally| tally.name.clone());
const STORE: Store<Tally> = Store::new("sums");
const LIMITS: Limits = Limits { max_record_bytes: 1000, latest_timestamp: Timestamp(1_000_000) };

struct Adder {
    schemas: Schemas,
    task: Task,
    outputs: Vec<streams::Output>,
}

impl Adder {
    fn new() -> Self {
        let topology = Topology::new("adder");
        topology
            .stream(&AMOUNTS)
            .process(&STORE, |amount, sums| {
                let sum = sums.get(amount.key).map_or(0, |tally| tally.sum) + amount.sum;
                let tally = Tally { name: amount.name.clone(), sum };
                if sum == 0 {
                    sums.delete(amount.key)
                } else {
                    sums.put(amount.key, &tally)
                }
                [tally]
            })
            .to(&SUMS);
        topology
            .timer(&STORE, Clock::Stream, Duration::from_millis(50), |tally| Some(Timestamp(tally.sum)))
            .map(|tally| tally.value.clone())
            .to(&CLOSED);
        let graph: Arc<Graph> = topology.build().unwrap();
        let schemas = Schemas::local();
        let task = Task::new(graph, schemas.clone(), TaskId { sub_topology: 0, partition: 3 });
        Self { schemas, task, outputs: Vec::new() }
    }

    fn add(&mut self, name: &str, sum: i64, at: i64) -> &mut Self {
        let tally = Tally { name: name.to_string(), sum };
        let value = self.schemas.encode(&subject("amounts"), &tally).unwrap();
        let input = Input {
            topic: "amounts",
            key: Some(name.as_bytes()),
            value: Some(&value),
            timestamp: Timestamp(at),
            trace: None,
        };
        self.task.process(input, LIMITS, &mut self.outputs).unwrap();
        while let Some(fired) = self.task.fire(None, LIMITS, &mut self.outputs) {
            fired.unwrap();
        }
        self
    }

    /// Name of the sink and sum of each output since the last call.
    fn said(&mut self) -> Vec<(usize, i64)> {
        let outputs = std::mem::take(&mut self.outputs);
        outputs.iter().map(|o| (o.sink, self.schemas.decode::<Tally>(&o.value).unwrap().sum)).collect()
    }

    fn committed(&self, name: &str) -> Option<i64> {
        let value = self.task.store("sums").unwrap().get(name).unwrap()?;
        Some(self.schemas.decode::<Tally>(&value).unwrap().sum)
    }
}

#[test]
fn an_epoch_sees_its_own_writes_and_readers_do_not() {
    let mut adder = Adder::new();
    adder.add("a", 100, 1).add("a", 20, 2);
    assert_eq!(adder.said(), [(0, 100), (0, 120)]);
    assert_eq!(adder.committed("a"), None);
    let mut changed = Vec::new();
    adder.task.commit(|_| None, |store, key| changed.push((store.to_string(), key.to_string()))).unwrap();
    assert_eq!(changed, [("sums".to_string(), "a".to_string())]);
    assert_eq!(adder.committed("a"), Some(120));
}

#[test]
fn the_changelog_gets_each_key_once_and_removals_as_such() {
    let mut adder = Adder::new();
    adder.add("a", 100, 1).add("b", 5, 1).add("a", 20, 2).add("b", -5, 3);
    let changes: Vec<_> =
        adder.task.changes().map(|(log, key, value)| (log, key.to_string(), value.is_some())).collect();
    assert_eq!(changes, [(0, "a".to_string(), true), (0, "b".to_string(), false)]);
}

#[test]
fn an_aborted_epoch_leaves_no_trace_in_stores_timers_or_stream_time() {
    let mut adder = Adder::new();
    adder.add("a", 100, 10);
    adder.task.commit(|_| None, |_, _| {}).unwrap();
    adder.said();
    // Stream time 150 makes the timer of `a` due (100 + 50).
    adder.add("b", 7_000, 150);
    assert_eq!(adder.said(), [(0, 7_000), (1, 100)]);
    adder.task.abort();
    assert_eq!((adder.committed("a"), adder.committed("b")), (Some(100), None));
    assert_eq!(adder.task.stream_time(), Timestamp(10));
    assert_eq!(adder.task.changes().count(), 0);
    adder.add("c", 9_000, 149);
    assert_eq!(adder.said(), [(0, 9_000)], "the timer is not due at 149");
    adder.add("d", 9_000, 150);
    assert_eq!(adder.said(), [(0, 9_000), (1, 100)], "it fires again, as if it never had");
}

#[test]
fn replaying_the_same_input_says_the_same_whatever_lies_between_commits() {
    let input: Vec<(String, i64, i64)> =
        (0..200).map(|n| (format!("k{}", n % 7), (n * 37) % 101 - 50, (n * 13) % 150)).collect();
    let run = |commit_every: usize, abort_every: usize| {
        let mut adder = Adder::new();
        let mut said = Vec::new();
        let mut epoch: Vec<&(String, i64, i64)> = Vec::new();
        for (n, record) in input.iter().enumerate() {
            adder.add(&record.0, record.1, record.2);
            epoch.push(record);
            if (n + 1) % abort_every == 0 {
                adder.task.abort();
                adder.said();
                for (name, sum, at) in &epoch {
                    adder.add(name, *sum, *at);
                }
            }
            if (n + 1) % commit_every == 0 {
                adder.task.commit(|_| None, |_, _| {}).unwrap();
                said.extend(adder.said());
                epoch.clear();
            }
        }
        said
    };
    let expected = run(1, 1000);
    assert!(expected.iter().any(|(sink, _)| *sink == 1), "some timers fire");
    assert!(run(50, 1000) == expected, "wider epochs say the same");
    assert!(run(20, 7) == expected, "aborted and repeated epochs say the same");
}
