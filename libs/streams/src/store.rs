use std::borrow::Cow;
use std::marker::PhantomData;

use avro_codec::AvroRecord;

use crate::step::Step;

/// A handle on a store: keyed state of a topology, one share per partition, rebuilt from its changelog topic
/// `<service>-<name>-changelog`. A constant, so that the topology and its readers mean the same store.
#[derive(Debug)]
pub struct Store<S> {
    name: Cow<'static, str>,
    value: PhantomData<fn() -> S>,
}

/// What a handler may do with a store: read its own writes, write.
pub struct StoreAccess<'a, 's, S> {
    step: &'a mut Step<'s>,
    store: usize,
    value: PhantomData<fn() -> S>,
}

/// Where the changes of a store are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changelog {
    /// In a private topic of its own.
    Own,
    /// In the topic the store is a table of.
    Source,
}

impl<S> Store<S> {
    /// The store `name`.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), value: PhantomData }
    }

    pub(crate) const fn named(name: String) -> Self {
        Self { name: Cow::Owned(name), value: PhantomData }
    }

    /// The name, unique within its topology.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<S> Clone for Store<S> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), value: PhantomData }
    }
}

impl<'a, 's, S: AvroRecord> StoreAccess<'a, 's, S> {
    pub(crate) fn new(step: &'a mut Step<'s>, name: &str) -> Self {
        let store = step.store_index(name);
        Self { step, store, value: PhantomData }
    }

    /// The value of `key`, with everything that was written before.
    pub fn get(&mut self, key: &str) -> Option<S> {
        self.step.get(self.store, key)
    }

    /// Sets the value of `key`.
    pub fn put(&mut self, key: &str, value: &S) {
        self.step.put(self.store, key, value);
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: &str) {
        self.step.delete(self.store, key);
    }
}

impl<S> std::fmt::Debug for StoreAccess<'_, '_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreAccess").field("store", &self.store).finish_non_exhaustive()
    }
}
