use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{PoisonError, RwLock};

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

/// The committed entries of one task's share of a store: encoded values by key, as they stand in the changelog.
///
/// The stream thread alone writes, an epoch at a time; any number of readers see the state between two epochs.
#[derive(Debug, Default)]
pub struct CommittedStore {
    entries: RwLock<BTreeMap<Box<str>, Box<[u8]>>>,
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

impl CommittedStore {
    /// The encoded value of `key`.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.read(|entries| entries.get(key).map(|value| value.to_vec()))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.read(BTreeMap::len)
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of all entries.
    pub(crate) fn snapshot(&self) -> Vec<(Box<str>, Box<[u8]>)> {
        self.read(|entries| entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// Runs `look` on the value of `key` without copying it.
    pub(crate) fn look<R>(&self, key: &str, look: impl FnOnce(Option<&[u8]>) -> R) -> R {
        self.read(|entries| look(entries.get(key).map(Box::as_ref)))
    }

    /// Applies changes at once: readers see none or all. A key without a value is removed.
    pub fn apply(&self, changes: impl Iterator<Item = (Box<str>, Option<Box<[u8]>>)>) {
        // A writer that panicked half way cannot leave a broken map: every insert is whole.
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in changes {
            match value {
                Some(value) => entries.insert(key, value),
                None => entries.remove(&key),
            };
        }
    }

    fn read<R>(&self, read: impl FnOnce(&BTreeMap<Box<str>, Box<[u8]>>) -> R) -> R {
        read(&self.entries.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S> std::fmt::Debug for StoreAccess<'_, '_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreAccess").field("store", &self.store).finish_non_exhaustive()
    }
}
