use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use avro_codec::{AvroRecord, Schemas};

use crate::give_up::GivenUp;
use crate::global::GlobalTables;
use crate::graph::{Graph, TopologyError};
use crate::{Input, Limits, Output, Refusal, Store, Task, TaskId, Timestamp, Topic, Topology};

/// Pipes records through a topology in memory, one partition, with the clock in the test's hand: no broker, milliseconds.
///
/// Every record is an epoch of its own. Topics that the topology both writes and reads are fed back at once. Values are
/// encoded and decoded as on a broker.
#[derive(Debug)]
pub struct TestDriver {
    graph: Arc<Graph>,
    schemas: Schemas,
    tasks: Vec<Task>,
    globals: Arc<GlobalTables>,
    now: Timestamp,
    written: BTreeMap<String, Vec<Vec<u8>>>,
    dead_letters: Vec<DeadLetter>,
}

/// A record that could not be handled, or that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it came from: a topic, or a `timer`.
    pub topic: String,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Why.
    pub cause: Refusal,
}

impl DeadLetter {
    fn of(topic: &str, GivenUp { value, cause, .. }: GivenUp) -> Self {
        Self { topic: topic.to_string(), value: Some(value), cause }
    }
}

impl TestDriver {
    /// A driver whose clock stands at one second after the epoch.
    ///
    /// # Errors
    /// As [`Topology::build`].
    pub fn new(topology: Topology) -> Result<Self, TopologyError> {
        let graph = topology.build()?;
        let schemas = Schemas::local();
        let sub_topologies =
            graph.inputs().filter_map(|topic| graph.sub_topology(&topic.name)).max().map_or(0, |n| n + 1);
        let now = Timestamp(1000);
        let globals = Arc::new(GlobalTables::new(graph.clone()));
        let task = |sub_topology| {
            let id = TaskId { sub_topology, partition: 0 };
            let mut task = Task::new(graph.clone(), schemas.clone(), id).with_global_tables(globals.clone());
            task.set_caught_up(Some(now));
            task
        };
        let tasks = (0..sub_topologies).map(task).collect();
        Ok(Self { graph, schemas, tasks, globals, now, written: BTreeMap::new(), dead_letters: Vec::new() })
    }

    /// Pipes a value in, now.
    pub fn pipe<V: AvroRecord>(&mut self, topic: &Topic<V>, value: &V) {
        self.pipe_at(topic, self.now, value);
    }

    /// Pipes a value in with an event time of its own.
    ///
    /// # Panics
    /// If the value does not fit its schema.
    pub fn pipe_at<V: AvroRecord>(&mut self, topic: &Topic<V>, timestamp: Timestamp, value: &V) {
        let encoded = self.schemas.encode(&crate::subject(topic.name()), value).expect("a value that fits its schema");
        self.pipe_raw(topic.name(), Some(topic.key(value).as_bytes()), Some(&encoded), timestamp);
    }

    /// Pipes bytes in, as anyone may put them into a topic. What a global table cannot take in shows among the dead letters,
    /// though on a broker it is only logged and counted: the topic is not this service's to clear up.
    pub fn pipe_raw(&mut self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>, timestamp: Timestamp) {
        if let Err(cause) = self.globals.update(&self.schemas, topic, key, value) {
            self.dead_letters.push(DeadLetter { topic: topic.to_string(), value: value.map(<[u8]>::to_vec), cause });
        }
        let limits = self.limits();
        let Some(sub_topology) = self.graph.sub_topology(topic) else { return };
        let task = &mut self.tasks[sub_topology];
        let mut outputs = Vec::new();
        if let Err(cause) = task.process(Input { topic, key, value, timestamp, trace: None }, limits, &mut outputs) {
            self.dead_letters.push(DeadLetter { topic: topic.to_string(), value: value.map(<[u8]>::to_vec), cause });
        }
        self.dead_letters.extend(task.take_given_up().into_iter().map(|given_up| DeadLetter::of(topic, given_up)));
        self.settle(sub_topology, outputs);
    }

    /// Moves the wall clock on and fires what has become due.
    pub fn advance(&mut self, duration: Duration) {
        self.now = self.now + duration;
        for sub_topology in 0..self.tasks.len() {
            self.settle(sub_topology, Vec::new());
        }
    }

    /// The time on the driver's clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The values written to a topic since the last call. In a store that is a topic, every record here is an epoch of its
    /// own, so every change is written.
    ///
    /// # Panics
    /// If the topology wrote something else than the topic's type.
    pub fn read<V: AvroRecord>(&mut self, topic: &Topic<V>) -> Vec<V> {
        let written = self.written.remove(topic.name()).unwrap_or_default();
        written.iter().map(|value| self.schemas.decode(value).expect("a value of the topic's type")).collect()
    }

    /// The committed value of `key` in a store.
    ///
    /// # Panics
    /// If the store holds something else than its type.
    pub fn stored<S: AvroRecord>(&self, store: &Store<S>, key: &str) -> Option<S> {
        let entries = self.tasks.iter().find_map(|task| task.store(store.name()))?;
        let value = entries.get(key).expect("a store in memory answers");
        value.map(|bytes| self.schemas.decode(&bytes).expect("a value of the store's type"))
    }

    /// The records that could not be handled or were given up since the last call.
    pub fn dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead_letters)
    }

    fn limits(&self) -> Limits {
        Limits { max_record_bytes: 1_000_000, latest_timestamp: self.now + Duration::from_secs(60 * 60) }
    }

    fn settle(&mut self, sub_topology: usize, mut outputs: Vec<Output>) {
        let (limits, now) = (self.limits(), self.now);
        let task = &mut self.tasks[sub_topology];
        while let Some(fired) = task.fire(Some(now), limits, &mut outputs) {
            if let Err(cause) = fired {
                self.dead_letters.push(DeadLetter { topic: "timer".to_string(), value: None, cause });
            }
            self.dead_letters
                .extend(task.take_given_up().into_iter().map(|given_up| DeadLetter::of("timer", given_up)));
        }
        let changelogs: Vec<String> = self.graph.changelogs().map(|topic| topic.name).collect();
        for (changelog, _, value) in task.changes() {
            let written = self.written.entry(changelogs[changelog].clone()).or_default();
            written.extend(value.map(<[u8]>::to_vec));
        }
        task.commit(|_| None, |_, _| {}).expect("a store in memory answers");
        for output in outputs {
            let Some(topic) = self.graph.outputs().nth(output.sink).map(|topic| topic.name.clone()) else { continue };
            // Whoever does not read it passes it over.
            self.pipe_raw(&topic, Some(output.key.as_bytes()), Some(&output.value), output.timestamp);
            self.written.entry(topic).or_default().push(output.value);
        }
    }
}
