use std::any::TypeId;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use avro_codec::AvroRecord;

use crate::draft::GraphDraft;
use crate::graph::{Graph, NodeId, NodeKind, SourceDefinition, TimerDefinition, TopologyError};
use crate::store::{Changelog, Store};
use crate::stream::Stream;
use crate::table::Table;
use crate::{Timestamp, Topic};

/// What a service hears, remembers and says: a graph of processors between topics, declared before anything runs.
///
/// The name is the service's: internal topics, the consumer group and transactional ids are derived from it.
#[derive(Debug)]
pub struct Topology {
    name: String,
    pub(crate) draft: RefCell<GraphDraft>,
}

/// Which clock a [timer](Topology::timer) goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The time on the wall. What such a timer says should be an event of its own that the topology folds like any
    /// other, so that folding the log again never asks the clock. It fires only when its task has read everything that
    /// was waiting for it: the deadline is the later of `since` and the moment the task caught up, plus `after`.
    Wall,
    /// The highest timestamp the task has seen (stream time), so that replaying the same input fires the same timers. All
    /// inputs of the task move it, tables and bootstrap streams too, as in Kafka Streams; global tables do not.
    Stream,
}

impl Topology {
    /// An empty topology of the service `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), draft: RefCell::default() }
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The records of a topic, each in the order of its partition.
    pub fn stream<V: AvroRecord>(&self, topic: &Topic<V>) -> Stream<'_, V> {
        self.source(topic, NodeKind::Source, None)
    }

    /// As [`Topology::stream`], but what is in the topic when a task is assigned is read before the task's other inputs (a
    /// bootstrap stream, as Samza says). What comes later is read as it comes.
    pub fn bootstrap<V: AvroRecord>(&self, topic: &Topic<V>) -> Stream<'_, V> {
        self.source(topic, NodeKind::Bootstrap, None)
    }

    /// The latest value of every key of a compacted topic, readable by joins, by handlers and by [views](Store). The topic itself is
    /// the changelog of the store, which bears the topic's name. The stream returned carries every change; a record
    /// without a value removes its key and is not forwarded. As with [`Topology::bootstrap`], what is there is read first.
    pub fn table<V: AvroRecord>(&self, topic: &Topic<V>) -> (Table<V>, Stream<'_, V>) {
        let store = Store::named(topic.name().to_string());
        let stream = self.source(topic, NodeKind::Table, Some(topic.name()));
        self.draft.borrow_mut().use_store(&store, Changelog::Source, stream.node);
        (Table::of(store), stream)
    }

    /// A stream of the entries of `store` whose time has come: each entry for which `since` gives a moment is emitted
    /// once, as it is then, when `clock` has reached that moment plus `after`. Deadlines follow from the store alone, so
    /// they survive restarts without being written down.
    pub fn timer<S: AvroRecord>(
        &self,
        store: &Store<S>,
        clock: Clock,
        after: Duration,
        since: impl Fn(&S) -> Option<Timestamp> + Send + Sync + 'static,
    ) -> Stream<'_, S> {
        let mut draft = self.draft.borrow_mut();
        let label = format!("{} after {} ms of {} time", store.name(), after.as_millis(), clock.word());
        let node = draft.node(NodeKind::Timer, label, &[], Box::new(|forward, step, record| forward.on(step, record)));
        store.declare(&mut draft, node);
        draft.timers.push(TimerDefinition {
            store: store.name().to_string(),
            clock,
            after,
            node,
            since: Box::new(move |schemas, _, bytes| Ok(since(&schemas.decode::<S>(bytes)?))),
            decode: decode::<S>(),
            removes: false,
        });
        drop(draft);
        self.handle(node)
    }

    /// Checks the whole and freezes it.
    ///
    /// # Errors
    /// A topic or store used with two types, a sink on a topic that another service writes, inputs of one sub-topology
    /// with different partition counts, or a name used twice.
    pub fn build(self) -> Result<Arc<Graph>, TopologyError> {
        Ok(Arc::new(Graph::new(self.name, self.draft.into_inner())?))
    }

    pub(crate) fn handle<V>(&self, node: NodeId) -> Stream<'_, V> {
        Stream { topology: self, node, value: PhantomData }
    }

    pub(crate) fn source<V: AvroRecord>(&self, topic: &Topic<V>, kind: NodeKind, table: Option<&str>) -> Stream<'_, V> {
        let mut draft = self.draft.borrow_mut();
        let known = draft.sources.iter().position(|source| source.topic.name == topic.name());
        if let Some(known) = known {
            let source = &mut draft.sources[known];
            source.table = source.table.take().or(table.map(str::to_string));
            let (node, of_this_type) = (source.node, source.type_id == TypeId::of::<V>());
            draft.raise(node, kind);
            if !of_this_type {
                draft.errors.push(TopologyError::TwoTypes(topic.name().to_string()));
            }
            drop(draft);
            return self.handle(node);
        }
        let node =
            draft.node(kind, topic.name().to_string(), &[], Box::new(|forward, step, record| forward.on(step, record)));
        draft.sources.push(SourceDefinition {
            topic: topic.declaration(),
            type_id: TypeId::of::<V>(),
            node,
            table: table.map(str::to_string),
            decode: decode::<V>(),
        });
        drop(draft);
        self.handle(node)
    }
}

pub(crate) fn decode<V: AvroRecord>() -> crate::graph::Decode {
    Box::new(|schemas, bytes, then| {
        then(&schemas.decode::<V>(bytes)?);
        Ok(())
    })
}
