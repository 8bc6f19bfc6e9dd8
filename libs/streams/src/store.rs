use std::borrow::Cow;

use avro_codec::AvroRecord;

use crate::draft::GraphDraft;
use crate::graph::NodeId;
use crate::step::Step;
use crate::{Topic, TopicDeclaration, Topology};

/// A handle on a store: keyed state of a topology, one share per partition, rebuilt from its changelog topic
/// `<service>-<name>-changelog`. A constant, so that the topology and its readers mean the same store.
#[derive(Debug)]
pub struct Store<S> {
    name: Cow<'static, str>,
    published: Option<Published<S>>,
}

/// What a handler may do with a store: read its own writes, write.
pub struct StoreAccess<'a, S> {
    step: &'a Step<'a>,
    store: usize,
    key: Option<fn(&S) -> String>,
}

/// The store or the stores that a handler has at hand.
pub trait Stores: Clone + Send + Sync + 'static {
    /// What the handler is given.
    type Access<'a>;

    /// Notes that the processor `node` uses them.
    #[doc(hidden)]
    fn attach(&self, topology: &Topology, node: usize);

    /// Opens them for the handling of one record.
    #[doc(hidden)]
    fn open<'a>(&self, step: &'a Step<'a>) -> Self::Access<'a>;
}

/// The topic that a store is published as.
#[derive(Debug)]
struct Published<S> {
    topic: TopicDeclaration,
    key: fn(&S) -> String,
}

/// Where the changes of a store are written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Changelog {
    /// In a private topic of its own.
    Own,
    /// In a public topic of this service.
    Published(TopicDeclaration),
    /// In the topic the store is a table of.
    Source,
}

impl<S> Store<S> {
    /// The store `name`.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), published: None }
    }

    pub(crate) const fn named(name: String) -> Self {
        Self { name: Cow::Owned(name), published: None }
    }

    /// The name, unique within its topology.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<S: AvroRecord> Store<S> {
    /// A store that is a compacted topic of this service: what changes in it is a record there, for all to read, and it is
    /// rebuilt from there. It bears the topic's name. Several changes of a key in one transaction are one record.
    pub fn published(topic: &Topic<S>) -> Self {
        let published = Published { topic: topic.declaration(), key: topic.key };
        Self { name: Cow::Owned(topic.name().to_string()), published: Some(published) }
    }

    pub(crate) fn declare(&self, draft: &mut GraphDraft, node: NodeId) {
        let published = self.published.as_ref().map(|published| Changelog::Published(published.topic.clone()));
        draft.use_store(self, published.unwrap_or(Changelog::Own), node);
    }
}

impl<S> Clone for Store<S> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), published: self.published.clone() }
    }
}

impl<S> Clone for Published<S> {
    fn clone(&self) -> Self {
        Self { topic: self.topic.clone(), key: self.key }
    }
}

impl<S: AvroRecord> StoreAccess<'_, S> {
    /// The value of `key`, with everything that was written before.
    pub fn get(&self, key: &str) -> Option<S> {
        self.step.get(self.store, key)
    }

    /// Sets the value of `key`. In a store that is a topic, that is the key the topic derives from the value.
    pub fn put(&self, key: &str, value: &S) {
        match self.key.map(|of| of(value)).filter(|derived| derived != key) {
            Some(derived) => self.step.refuse_key(self.store, key, &derived),
            None => self.step.put(self.store, key, value),
        }
    }

    /// Removes `key`.
    pub fn delete(&self, key: &str) {
        self.step.delete(self.store, key);
    }
}

impl<S: AvroRecord> Stores for Store<S> {
    type Access<'a> = StoreAccess<'a, S>;

    fn attach(&self, topology: &Topology, node: usize) {
        self.declare(&mut topology.draft.borrow_mut(), node);
    }

    fn open<'a>(&self, step: &'a Step<'a>) -> StoreAccess<'a, S> {
        let key = self.published.as_ref().map(|published| published.key);
        StoreAccess { step, store: step.store_index(self.name()), key }
    }
}

impl<A: Stores, B: Stores> Stores for (A, B) {
    type Access<'a> = (A::Access<'a>, B::Access<'a>);

    fn attach(&self, topology: &Topology, node: usize) {
        self.0.attach(topology, node);
        self.1.attach(topology, node);
    }

    fn open<'a>(&self, step: &'a Step<'a>) -> Self::Access<'a> {
        (self.0.open(step), self.1.open(step))
    }
}

impl<S> std::fmt::Debug for StoreAccess<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreAccess").field("store", &self.store).finish_non_exhaustive()
    }
}
