mod timers;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use avro_codec::{DecodeError, Schemas};

use crate::give_up::GivenUp;
use crate::global::GlobalTables;
use crate::graph::{Erased, Graph};
use crate::refusal::Refusal;
use crate::state::{Checkpoint, MemoryStore, Restoration, StateStore, StoreError};
use crate::step::{Effects, Step};
use crate::store::Changelog;
use crate::timer::Schedule;
use crate::{Timestamp, Trace, subject};

/// The share of one partition in a sub-topology: its stores, its timers, its stream time.
///
/// A task is a pure state machine. What it does lies in an overlay until [`Task::commit`] or [`Task::abort`], so that a
/// runner can tie it to a transaction; given the order of its input, what it does is a function of that input alone.
#[derive(Debug)]
pub struct Task {
    graph: Arc<Graph>,
    schemas: Schemas,
    id: TaskId,
    stores: Vec<TaskStore>,
    globals: Arc<GlobalTables>,
    schedules: Vec<Schedule>,
    /// What this epoch changed in the schedules, with what was there before.
    rescheduled: Vec<(usize, Box<str>, Option<Timestamp>)>,
    given_up: Vec<GivenUp>,
    stream_time: Timestamp,
    committed_stream_time: Timestamp,
    caught_up_at: Option<Timestamp>,
}

/// Names a task, as Kafka Streams does: `<sub-topology>_<partition>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Number of the sub-topology.
    pub sub_topology: usize,
    /// The partition of all its inputs.
    pub partition: i32,
}

/// One record as it came from the broker.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Name of the topic.
    pub topic: &'a str,
    /// Key bytes.
    pub key: Option<&'a [u8]>,
    /// Value bytes in the wire format.
    pub value: Option<&'a [u8]>,
    /// Event time.
    pub timestamp: Timestamp,
    /// The trace it is processed in.
    pub trace: Option<&'a Trace>,
}

/// One record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Index into [`Graph::outputs`].
    pub sink: usize,
    /// The key, by which it is partitioned.
    pub key: String,
    /// The value in the wire format.
    pub value: Vec<u8>,
    /// Event time.
    pub timestamp: Timestamp,
    /// The trace it goes on in: that of the record it follows from. One that a timer makes follows from none.
    pub trace: Option<Trace>,
    /// The trace of another record that it follows from as well: see [`Stream::join_within`](crate::Stream::join_within).
    pub joined: Option<Trace>,
}

/// What the broker accepts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest record, key and value together, in bytes.
    pub max_record_bytes: usize,
    /// Latest timestamp.
    pub latest_timestamp: Timestamp,
}

#[derive(Debug)]
pub(crate) struct TaskStore {
    /// Index of the store in the graph.
    pub(crate) definition: usize,
    pub(crate) subject: String,
    /// The topic it is restored from.
    topic: String,
    pub(crate) committed: Arc<dyn StateStore>,
    /// What this epoch changes.
    pub(crate) overlay: BTreeMap<Box<str>, Option<Box<[u8]>>>,
}

impl Task {
    /// A task with empty stores in memory.
    pub fn new(graph: Arc<Graph>, schemas: Schemas, id: TaskId) -> Self {
        let stores = Self::restorations_of(&graph, id).iter().map(|_| Arc::new(MemoryStore::default()) as _).collect();
        Self::with_stores(graph, schemas, id, stores)
    }

    /// A task with these stores, in the order of [`Task::restorations_of`]. The runner restores them, and says so by
    /// [`Task::restored`], before the first record.
    pub fn with_stores(graph: Arc<Graph>, schemas: Schemas, id: TaskId, stores: Vec<Arc<dyn StateStore>>) -> Self {
        let stores: Vec<TaskStore> = definitions(&graph, id)
            .zip(Self::restorations_of(&graph, id))
            .zip(stores)
            .map(|((definition, Restoration { topic, .. }), committed)| TaskStore {
                definition,
                subject: graph.changelog(definition).map(|topic| subject(&topic.name)).unwrap_or_default(),
                topic,
                committed,
                overlay: BTreeMap::new(),
            })
            .collect();
        let schedule = |(timer, definition): (usize, &crate::graph::TimerDefinition)| {
            let store = stores.iter().position(|store| graph.stores[store.definition].name == definition.store)?;
            Some(Schedule::new(timer, store))
        };
        let schedules = graph.timers.iter().enumerate().filter_map(schedule).collect();
        Self {
            graph: graph.clone(),
            schemas,
            id,
            stores,
            globals: Arc::new(GlobalTables::new(graph)),
            schedules,
            rescheduled: Vec::new(),
            given_up: Vec::new(),
            stream_time: Timestamp::MIN,
            committed_stream_time: Timestamp::MIN,
            caught_up_at: None,
        }
    }

    /// Lets its handlers look up what these tables hold; before, they find them empty.
    #[must_use]
    pub fn with_global_tables(mut self, globals: Arc<GlobalTables>) -> Self {
        self.globals = globals;
        self
    }

    /// The name.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Processes one record and the stream-time timers it makes due. What it writes and says is in the overlay and in
    /// `outputs`.
    ///
    /// # Errors
    /// The record cannot be handled: nothing of it is left, it belongs into the dead letters.
    pub fn process(&mut self, input: Input<'_>, limits: Limits, outputs: &mut Vec<Output>) -> Result<(), Refusal> {
        let graph = self.graph.clone();
        let source = graph.sources.iter().find(|source| source.topic.name == input.topic);
        let source = source.expect("a runner hands over only records of the topology's inputs");
        let key = std::str::from_utf8(input.key.ok_or(Refusal::NoKey)?).map_err(|_| Refusal::KeyNotUtf8)?;
        let undecodable = |error: DecodeError| Refusal::Undecodable(error.to_string());
        if let Some(table) = &source.table {
            // The table holds what its topic says, whatever becomes of it further on: it is restored from there.
            let effects = self.attempt(limits, |step| {
                let store = step.store_index(table);
                step.put_encoded(store, key, input.value.map(Into::into));
                input
                    .value
                    .map_or(Ok(()), |value| (source.decode)(&self.schemas, value, &mut |_| {}))
                    .map_err(undecodable)
            })?;
            self.merge(effects, outputs);
        }
        let effects = self.attempt(limits, |step| match input.value {
            Some(value) => (source.decode)(&self.schemas, value, &mut |value| {
                let Input { timestamp, trace, .. } = input;
                graph.run(source.node, step, Erased { key, value, timestamp, trace, joined: None });
            })
            .map_err(undecodable),
            None if source.table.is_some() => Ok(()),
            None => Err(Refusal::NoValue),
        })?;
        self.merge(effects, outputs);
        self.stream_time = self.stream_time.max(input.timestamp);
        Ok(())
    }

    /// Takes out what was given up since the last call; the runner puts it aside after each record and each timer.
    pub fn take_given_up(&mut self) -> Vec<GivenUp> {
        std::mem::take(&mut self.given_up)
    }

    /// Tells the task when it had read all that was waiting for it, or that it no longer has.
    pub fn set_caught_up(&mut self, at: Option<Timestamp>) {
        self.caught_up_at = at;
    }

    /// Whether it has.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up_at.is_some()
    }

    /// The highest timestamp seen, uncommitted records included; what a runner stores beside the committed offset.
    pub fn stream_time(&self) -> Timestamp {
        self.stream_time
    }

    /// Goes on from a stream time that was committed before.
    pub fn set_stream_time(&mut self, committed: Timestamp) {
        self.stream_time = committed;
        self.committed_stream_time = committed;
    }

    /// The changes of this epoch to stores with a changelog of their own: index into [`Graph::changelogs`], key, value;
    /// each key once.
    pub fn changes(&self) -> impl Iterator<Item = (usize, &str, Option<&[u8]>)> {
        self.stores.iter().filter_map(|store| Some((self.changelog_index(store.definition)?, store))).flat_map(
            |(changelog, store)| store.overlay.iter().map(move |(key, value)| (changelog, &**key, value.as_deref())),
        )
    }

    /// Makes the epoch's changes the state. `checkpoint` is asked how far the store has come that is restored from the
    /// named topic; `changed` is told the name of the store and the key of each change, after all of them can be read.
    ///
    /// # Errors
    /// A store does not answer: what was committed is in the changelog, and has to be restored from there.
    pub fn commit(
        &mut self,
        mut checkpoint: impl FnMut(&str) -> Option<Checkpoint>,
        mut changed: impl FnMut(&str, &str),
    ) -> Result<(), StoreError> {
        let mut keys: Vec<(usize, Box<str>)> = Vec::new();
        for store in &mut self.stores {
            let overlay = std::mem::take(&mut store.overlay);
            let latest = store.committed.checkpoint().map_or(i64::MIN, |before| before.timestamp);
            let checkpoint = checkpoint(&store.topic)
                .map(|reached| Checkpoint { timestamp: reached.timestamp.max(latest), ..reached });
            if !overlay.is_empty() || checkpoint.is_some() {
                keys.extend(overlay.keys().map(|key| (store.definition, key.clone())));
                store.committed.apply(&mut overlay.into_iter(), checkpoint)?;
            }
        }
        keys.iter().for_each(|(store, key)| changed(&self.graph.stores[*store].name, key));
        self.rescheduled.clear();
        self.committed_stream_time = self.stream_time;
        Ok(())
    }

    /// Forgets the epoch.
    pub fn abort(&mut self) {
        self.stream_time = self.committed_stream_time;
        self.given_up.clear();
        self.stores.iter_mut().for_each(|store| store.overlay.clear());
        for (schedule, key, before) in std::mem::take(&mut self.rescheduled).into_iter().rev() {
            self.schedules[schedule].set(&key, before);
        }
    }

    /// The committed state of the store `name`, if it is of this task.
    pub fn store(&self, name: &str) -> Option<Arc<dyn StateStore>> {
        let is_named = |store: &&TaskStore| self.graph.stores[store.definition].name == name;
        self.stores.iter().find(is_named).map(|store| store.committed.clone())
    }

    /// The stores to restore, and the topics to read them from.
    pub fn restorations(&self) -> Vec<Restoration> {
        Self::restorations_of(&self.graph, self.id)
    }

    /// The stores that the task `id` of `graph` has, and the topics to read them from.
    pub fn restorations_of(graph: &Graph, id: TaskId) -> Vec<Restoration> {
        let restoration = |definition: usize| {
            let store = graph.stores[definition].name.clone();
            match graph.changelog(definition) {
                Some(topic) => Restoration { store, topic: topic.name, is_input: false },
                None => Restoration { topic: store.clone(), store, is_input: true },
            }
        };
        definitions(graph, id).map(restoration).collect()
    }

    fn attempt(&self, limits: Limits, work: impl FnOnce(&Step<'_>) -> Result<(), Refusal>) -> Result<Effects, Refusal> {
        let step = Step::new(&self.graph, &self.schemas, &self.stores, &self.globals, limits, self.stream_time);
        // The step is dropped whole when its handler panics, so nothing half done is ever looked at.
        let worked = catch_unwind(AssertUnwindSafe(|| {
            work(&step)?;
            step.set_deadlines(|write| self.deadlines(write));
            Ok(())
        }));
        worked.unwrap_or_else(|panic| Err(Refusal::Panicked(panic_message(&*panic))))?;
        step.finish()
    }

    fn merge(&mut self, effects: Effects, outputs: &mut Vec<Output>) {
        outputs.extend(effects.outputs);
        self.given_up.extend(effects.given_up);
        for (schedule, key, since) in effects.deadlines {
            let before = self.schedules[schedule].set(&key, since);
            self.rescheduled.push((schedule, key, before));
        }
        for write in effects.writes {
            self.stores[write.store].overlay.insert(write.key, write.value);
        }
    }

    fn changelog_index(&self, definition: usize) -> Option<usize> {
        let has_own = |store: &usize| self.graph.stores[*store].changelog != Changelog::Source;
        has_own(&definition).then(|| (0..definition).filter(has_own).count())
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.sub_topology, self.partition)
    }
}

/// The stores of the sub-topology, by their index in the graph.
fn definitions(graph: &Graph, id: TaskId) -> impl Iterator<Item = usize> {
    (0..graph.stores.len()).filter(move |&store| graph.store_sub_topology(store) == id.sub_topology)
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_string())
}
