use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use avro_codec::AvroRecord;

use crate::graph::{NodeId, NodeKind, SinkDefinition, TopologyError};
use crate::store::{Store, Stores};
use crate::topology::Topology;
use crate::{Timestamp, Topic};

/// A stream of records of one type inside a [`Topology`]; each method adds a processor and returns what flows out of it.
pub struct Stream<'t, V> {
    pub(crate) topology: &'t Topology,
    pub(crate) node: NodeId,
    pub(crate) value: PhantomData<fn() -> V>,
}

/// One record as a processor sees it. Reads like its value: `record.quantity` is `record.value.quantity`.
#[derive(Debug)]
pub struct Record<'a, V> {
    /// The key the record is partitioned by.
    pub key: &'a str,
    /// The value.
    pub value: &'a V,
    /// Event time.
    pub timestamp: Timestamp,
}

impl<'t, V: 'static> Stream<'t, V> {
    /// Keeps the records for which `predicate` holds.
    pub fn filter(self, predicate: impl Fn(Record<'_, V>) -> bool + Send + Sync + 'static) -> Self {
        let node = self.topology.draft.borrow_mut().node(
            NodeKind::Filter,
            String::new(),
            &[self.node],
            Box::new(move |forward, step, record| {
                if predicate(record.typed()) {
                    forward.on(step, record);
                }
            }),
        );
        self.topology.handle(node)
    }

    /// Turns every value into another; key and timestamp stay.
    pub fn map<O: 'static>(self, f: impl Fn(Record<'_, V>) -> O + Send + Sync + 'static) -> Stream<'t, O> {
        let node = self.topology.draft.borrow_mut().node(
            NodeKind::Map,
            String::new(),
            &[self.node],
            Box::new(move |forward, step, record| {
                let value = f(record.typed());
                forward.on(step, record.with(&value));
            }),
        );
        self.topology.handle(node)
    }

    /// Turns every value into none, one or several others (`flatMapValues` of Kafka Streams); key and timestamp stay.
    pub fn flat_map<O: 'static, I: IntoIterator<Item = O>>(
        self,
        f: impl Fn(Record<'_, V>) -> I + Send + Sync + 'static,
    ) -> Stream<'t, O> {
        let node = self.topology.draft.borrow_mut().node(
            NodeKind::Map,
            String::new(),
            &[self.node],
            Box::new(move |forward, step, record| {
                for value in f(record.typed()) {
                    forward.on(step, record.with(&value));
                }
            }),
        );
        self.topology.handle(node)
    }

    /// Splits in two: the records for which `predicate` holds, and the rest.
    pub fn branch(self, predicate: impl Fn(Record<'_, V>) -> bool + Send + Sync + 'static) -> (Self, Self) {
        let predicate = std::sync::Arc::new(predicate);
        let matching = {
            let predicate = predicate.clone();
            self.clone().filter(move |record| predicate(record))
        };
        (matching, self.filter(move |record| !predicate(record)))
    }

    /// Both streams in one. Records of one partition arrive in the order in which they were read.
    pub fn merge(self, other: Self) -> Self {
        let node = self.topology.draft.borrow_mut().node(
            NodeKind::Merge,
            String::new(),
            &[self.node, other.node],
            Box::new(|forward, step, record| forward.on(step, record)),
        );
        self.topology.handle(node)
    }

    /// Handles each record with a store at hand, or with two, as a tuple; what the handler returns (an `Option`, a
    /// `Vec`, …) flows on under the record's key and timestamp.
    ///
    /// Writes and outputs count only if the handler returns: one that panics sends its record to the dead letters and
    /// leaves nothing behind.
    pub fn process<S: Stores, O: 'static, I: IntoIterator<Item = O>>(
        self,
        stores: &S,
        handler: impl Fn(Record<'_, V>, S::Access<'_>) -> I + Send + Sync + 'static,
    ) -> Stream<'t, O> {
        self.with_stores(NodeKind::Process, stores, handler)
    }

    /// As [`Stream::process`], for a handler that only changes its stores and says nothing.
    pub fn for_each<S: Stores>(
        self,
        stores: &S,
        handler: impl Fn(Record<'_, V>, S::Access<'_>) + Send + Sync + 'static,
    ) {
        self.with_stores(NodeKind::Process, stores, move |record, stores| {
            handler(record, stores);
            None::<()>
        });
    }

    /// Joins each record with what a table has for its key, at that moment; a record whose key the table does not have goes
    /// no further.
    ///
    /// What was in the table when the task was assigned is read before the stream, so a join does not miss what is long
    /// known.
    pub fn join<T: AvroRecord, O: 'static>(
        self,
        table: &Store<T>,
        joiner: impl Fn(Record<'_, V>, T) -> O + Send + Sync + 'static,
    ) -> Stream<'t, O> {
        self.with_stores(NodeKind::Join, table, move |record, table| {
            table.get(record.key).map(|value| joiner(record, value))
        })
    }

    /// As [`Stream::join`], but a record whose key the table does not have is joined with nothing.
    pub fn left_join<T: AvroRecord, O: 'static>(
        self,
        table: &Store<T>,
        joiner: impl Fn(Record<'_, V>, Option<T>) -> O + Send + Sync + 'static,
    ) -> Stream<'t, O> {
        self.with_stores(NodeKind::Join, table, move |record, table| {
            let value = table.get(record.key);
            [joiner(record, value)]
        })
    }

    pub(crate) fn with_stores<S: Stores, O: 'static, I: IntoIterator<Item = O>>(
        self,
        kind: NodeKind,
        stores: &S,
        handler: impl Fn(Record<'_, V>, S::Access<'_>) -> I + Send + Sync + 'static,
    ) -> Stream<'t, O> {
        let used = stores.clone();
        let node = self.topology.draft.borrow_mut().node(
            kind,
            String::new(),
            &[self.node],
            Box::new(move |forward, step, record| {
                for value in handler(record.typed(), used.open(step)) {
                    forward.on(step, record.with(&value));
                }
            }),
        );
        stores.attach(self.topology, node);
        self.topology.handle(node)
    }
}

impl<'t, V: AvroRecord> Stream<'t, V> {
    /// Sends the records through the private topic `<service>-<name>-repartition`, so that records with the same new key
    /// meet in one task. What follows is a sub-topology of its own.
    ///
    /// Where nothing comes before it but filters, maps and merges, the records are sent on at once, and after a failure once
    /// more ([`Graph::forwards`](crate::Graph::forwards)). The repetition goes no further; what is sent on has to follow
    /// from the record alone, and not from what the time is or what else was seen.
    pub fn rekey(self, name: &str, key: impl Fn(&V) -> String + Send + Sync + 'static) -> Stream<'t, V> {
        let service = self.topology.name();
        let topic = Topic::<V>::named(format!("{service}-{name}-repartition"), service.to_string(), |_| String::new())
            .private()
            .purged();
        let topology = self.topology;
        self.sink(&topic, key);
        topology.source(&topic, NodeKind::Source, None)
    }

    /// Writes the records to a topic of this service, under the key the topic derives from the value.
    pub fn to(self, topic: &Topic<V>) {
        self.sink(topic, topic.key);
    }

    fn sink(self, topic: &Topic<V>, key: impl Fn(&V) -> String + Send + Sync + 'static) {
        let mut draft = self.topology.draft.borrow_mut();
        let sink = draft.sinks.iter().position(|sink| sink.topic.name == topic.name()).unwrap_or_else(|| {
            let declaration = topic.declaration();
            if declaration.writer != self.topology.name() {
                draft.errors.push(TopologyError::ForeignSink { topic: declaration.name, writer: declaration.writer });
            }
            draft.sinks.push(SinkDefinition { topic: topic.declaration(), subject: crate::subject(topic.name()) });
            draft.sinks.len() - 1
        });
        draft.node(
            NodeKind::Sink,
            topic.name().to_string(),
            &[self.node],
            Box::new(move |_, step, record| {
                let value = record.typed::<V>().value;
                step.send(sink, key(value), value, record);
            }),
        );
    }
}

impl<V> Clone for Stream<'_, V> {
    fn clone(&self) -> Self {
        Self { topology: self.topology, node: self.node, value: PhantomData }
    }
}

impl<V> fmt::Debug for Stream<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("node", &self.node).finish_non_exhaustive()
    }
}

impl<V> Deref for Record<'_, V> {
    type Target = V;

    fn deref(&self) -> &V {
        self.value
    }
}
