use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use avro_codec::{AvroRecord, Schemas};

use crate::graph::{Decode, Graph, NodeId, NodeKind, TopologyError};
use crate::refusal::Refusal;
use crate::state::{MemoryStore, StateStore, StoreError};
use crate::step::Step;
use crate::store::Stores;
use crate::stream::{Record, Stream};
use crate::table::{Lookup, Place};
use crate::topology::decode;
use crate::{MAX_KEY_BYTES, Topic, TopicDeclaration, Topology};

/// A handle on a global table: the latest value of every key of a topic, all partitions of it in every instance, to be
/// looked up and not to be written. Made by [`Topology::global_table`].
pub struct GlobalTable<V> {
    topic: Cow<'static, str>,
    value: PhantomData<fn() -> V>,
}

/// What the global tables of a process hold. All its tasks share it; the runner alone updates it.
#[derive(Debug)]
pub struct GlobalTables {
    graph: Arc<Graph>,
    tables: Vec<MemoryStore>,
}

pub(crate) struct GlobalDefinition {
    pub(crate) topic: TopicDeclaration,
    pub(crate) nodes: Vec<NodeId>,
    type_id: TypeId,
    decode: Decode,
}

impl Topology {
    /// The latest value of every key of a topic, in every instance: to be looked up under any key, by handlers
    /// ([`Stream::process`]) and by [`Stream::join_global`]. The topic may have any number of partitions.
    ///
    /// What is in the topic when a process starts is read before any of its tasks works; what comes later is seen when it
    /// comes (the `GlobalKTable` of Kafka Streams). So a lookup is not part of what is repeated identically when input is
    /// replayed: it finds what is there now. Where that matters, let the handler write what it found into a store or an
    /// output, or use a [table](Topology::table) of the same partitions.
    pub fn global_table<V: AvroRecord>(&self, topic: &Topic<V>) -> GlobalTable<V> {
        let mut draft = self.draft.borrow_mut();
        match draft.globals.iter().find(|known| known.topic.name == topic.name()) {
            Some(known) if known.type_id != TypeId::of::<V>() => {
                draft.errors.push(TopologyError::TwoTypes(topic.name().to_string()));
            }
            Some(_) => {}
            None => draft.globals.push(GlobalDefinition {
                topic: topic.declaration(),
                nodes: Vec::new(),
                type_id: TypeId::of::<V>(),
                decode: decode::<V>(),
            }),
        }
        GlobalTable { topic: topic.name().to_string().into(), value: PhantomData }
    }
}

impl<'t, V: 'static> Stream<'t, V> {
    /// Joins each record with what a global table has, at that moment, for the key that `key` gives; a record for which it
    /// has nothing goes no further.
    pub fn join_global<T: AvroRecord, O: 'static>(
        self,
        table: &GlobalTable<T>,
        key: impl Fn(&V) -> String + Send + Sync + 'static,
        joiner: impl Fn(Record<'_, V>, T) -> O + Send + Sync + 'static,
    ) -> Stream<'t, O> {
        self.with_stores(NodeKind::Join, table, move |record, table| {
            table.get(&key(record.value)).map(|value| joiner(record, value))
        })
    }

    /// As [`Stream::join_global`], but a record for which the table has nothing is joined with nothing.
    pub fn left_join_global<T: AvroRecord, O: 'static>(
        self,
        table: &GlobalTable<T>,
        key: impl Fn(&V) -> String + Send + Sync + 'static,
        joiner: impl Fn(Record<'_, V>, Option<T>) -> O + Send + Sync + 'static,
    ) -> Stream<'t, O> {
        self.with_stores(NodeKind::Join, table, move |record, table| {
            let value = table.get(&key(record.value));
            [joiner(record, value)]
        })
    }
}

impl<V> GlobalTable<V> {
    /// Name of the topic.
    pub fn name(&self) -> &str {
        &self.topic
    }
}

impl<V: AvroRecord> Stores for GlobalTable<V> {
    type Access<'a> = Lookup<'a, V>;

    fn attach(&self, topology: &Topology, node: usize) {
        let mut draft = topology.draft.borrow_mut();
        match draft.globals.iter_mut().find(|known| known.topic.name == self.topic) {
            Some(known) => known.nodes.push(node),
            None => draft.errors.push(TopologyError::ForeignTable(self.topic.to_string())),
        }
    }

    fn open<'a>(&self, step: &'a Step<'a>) -> Lookup<'a, V> {
        Lookup::new(step, Place::Global(step.global_index(&self.topic)))
    }
}

impl GlobalTables {
    /// The tables of a graph, still empty.
    pub fn new(graph: Arc<Graph>) -> Self {
        let tables = graph.globals.iter().map(|_| MemoryStore::default()).collect();
        Self { graph, tables }
    }

    /// Takes in a record of the topic: a value, or without one the removal of the key. A topic that is no global table
    /// changes nothing.
    ///
    /// # Errors
    /// The record cannot be read; the table stays as it was.
    pub fn update(
        &self,
        schemas: &Schemas,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let Some(table) = self.graph.globals.iter().position(|known| known.topic.name == topic) else { return Ok(()) };
        let key = std::str::from_utf8(key.ok_or(Refusal::NoKey)?).map_err(|_| Refusal::KeyNotUtf8)?;
        if key.len() > MAX_KEY_BYTES {
            return Err(Refusal::KeyTooLong { store: topic.to_string(), bytes: key.len() });
        }
        if let Some(value) = value {
            let decoded = (self.graph.globals[table].decode)(schemas, value, &mut |_| {});
            decoded.map_err(|error| Refusal::Undecodable(error.to_string()))?;
        }
        self.tables[table].apply(&mut std::iter::once((key.into(), value.map(Into::into))), None)?;
        Ok(())
    }

    pub(crate) fn look(&self, table: usize, key: &str, look: &mut dyn FnMut(Option<&[u8]>)) -> Result<(), StoreError> {
        self.tables[table].look(key, look)
    }
}

impl<V> Clone for GlobalTable<V> {
    fn clone(&self) -> Self {
        Self { topic: self.topic.clone(), value: PhantomData }
    }
}

impl<V> fmt::Debug for GlobalTable<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlobalTable").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl fmt::Debug for GlobalDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Global({})", self.topic.name)
    }
}
