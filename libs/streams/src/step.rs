use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

use avro_codec::{AvroRecord, DecodeError, EncodeError, Schemas};

use crate::give_up::GivenUp;
use crate::global::GlobalTables;
use crate::graph::{Erased, Graph, dead_letters};
use crate::refusal::Refusal;
use crate::state::MAX_KEY_BYTES;
use crate::task::TaskStore;
use crate::{Limits, Output, Timestamp, subject};

/// What one record does: its outputs and writes are gathered here and merged into the task only when its handlers have
/// returned.
pub struct Step<'t> {
    graph: &'t Graph,
    schemas: &'t Schemas,
    stores: &'t [TaskStore],
    globals: &'t GlobalTables,
    limits: Limits,
    stream_time: Timestamp,
    effects: RefCell<Effects>,
    refusal: RefCell<Option<Refusal>>,
}

#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) outputs: Vec<Output>,
    pub(crate) writes: Vec<Write>,
    /// Schedule, key, and since when it waits, if it does.
    pub(crate) deadlines: Vec<(usize, Box<str>, Option<Timestamp>)>,
    pub(crate) given_up: Vec<GivenUp>,
}

/// A change of one key; no value removes it.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) store: usize,
    pub(crate) key: Box<str>,
    pub(crate) value: Option<Box<[u8]>>,
}

impl<'t> Step<'t> {
    pub(crate) fn new(
        graph: &'t Graph,
        schemas: &'t Schemas,
        stores: &'t [TaskStore],
        globals: &'t GlobalTables,
        limits: Limits,
        stream_time: Timestamp,
    ) -> Self {
        let (effects, refusal) = Default::default();
        Self { graph, schemas, stores, globals, limits, stream_time, effects, refusal }
    }

    /// The highest timestamp the task had seen before this record.
    pub(crate) fn stream_time(&self) -> Timestamp {
        self.stream_time
    }

    /// Asks since when each written entry waits, of the schedules of its store.
    pub(crate) fn set_deadlines(&self, since: impl Fn(&Write) -> Vec<(usize, Option<Timestamp>)>) {
        let Effects { writes, deadlines, .. } = &mut *self.effects.borrow_mut();
        for write in writes {
            deadlines.extend(since(write).into_iter().map(|(schedule, since)| (schedule, write.key.clone(), since)));
        }
    }

    pub(crate) fn finish(self) -> Result<Effects, Refusal> {
        self.refusal.into_inner().map_or(Ok(self.effects.into_inner()), Err)
    }

    pub(crate) fn store_index(&self, name: &str) -> usize {
        let is_named = |store: &TaskStore| self.graph.stores[store.definition].name == name;
        self.stores.iter().position(is_named).expect("a store is in the sub-topology of the processors that use it")
    }

    pub(crate) fn global_index(&self, topic: &str) -> usize {
        let index = self.graph.globals.iter().position(|table| table.topic.name == topic);
        index.expect("a processor looks up only what its topology reads")
    }

    pub(crate) fn look_up<V: AvroRecord>(&self, table: usize, key: &str) -> Option<V> {
        let mut found = Ok(None);
        let looked = self.globals.look(table, key, &mut |bytes| {
            found = bytes.map(|bytes| self.schemas.decode::<V>(bytes)).transpose();
        });
        looked.unwrap_or_else(|error| self.refuse(error.into()));
        found.unwrap_or_else(|cause| {
            let store = self.graph.globals[table].topic.name.clone();
            self.refuse(Refusal::State { store, cause: cause.to_string() });
            None
        })
    }

    pub(crate) fn get<S: AvroRecord>(&self, store: usize, key: &str) -> Option<S> {
        let decode = |bytes: Option<&[u8]>| bytes.map(|bytes| self.schemas.decode::<S>(bytes)).transpose();
        let effects = self.effects.borrow();
        let written = effects.writes.iter().rev().find(|write| write.store == store && &*write.key == key);
        let found: Result<Option<S>, DecodeError> = match written {
            Some(write) => decode(write.value.as_deref()),
            None => match self.stores[store].overlay.get(key) {
                Some(value) => decode(value.as_deref()),
                None => {
                    let mut found = Ok(None);
                    if let Err(error) = self.stores[store].committed.look(key, &mut |bytes| found = decode(bytes)) {
                        self.refuse(error.into());
                    }
                    found
                }
            },
        };
        found.unwrap_or_else(|cause| self.refuse_state(store, &cause))
    }

    /// The stored bytes as the value they should be.
    pub(crate) fn decode<S: AvroRecord>(&self, store: usize, bytes: &[u8]) -> Option<S> {
        self.schemas.decode(bytes).map(Some).unwrap_or_else(|cause| self.refuse_state(store, &cause))
    }

    /// The entries from the key `from` up to, but without, the key `to`, in the order of their keys.
    pub(crate) fn range(&self, store: usize, from: &str, to: &str) -> BTreeMap<Box<str>, Vec<u8>> {
        let mut found = BTreeMap::new();
        let committed = self.stores[store].committed.range(from, to, &mut |key, value| {
            found.insert(key.into(), value.to_vec());
        });
        committed.unwrap_or_else(|error| self.refuse(error.into()));
        let within = (Bound::Included(from), Bound::Excluded(to));
        let overlay = self.stores[store].overlay.range::<str, _>(within);
        let effects = self.effects.borrow();
        let is_within = |write: &&Write| write.store == store && (from..to).contains(&&*write.key);
        let written = effects.writes.iter().filter(is_within).map(|write| (&write.key, &write.value));
        for (key, value) in overlay.chain(written) {
            match value {
                Some(value) => found.insert(key.clone(), value.to_vec()),
                None => found.remove(key),
            };
        }
        found
    }

    pub(crate) fn put<S: AvroRecord>(&self, store: usize, key: &str, value: &S) {
        let subject = &self.stores[store].subject;
        match self.schemas.encode(subject, value) {
            Ok(bytes) => self.put_encoded(store, key, Some(bytes.into_boxed_slice())),
            Err(cause) => self.refuse(unencodable(&subject.clone(), &cause)),
        }
    }

    pub(crate) fn put_encoded(&self, store: usize, key: &str, value: Option<Box<[u8]>>) {
        let bytes = key.len() + value.as_deref().map_or(0, <[u8]>::len);
        let name = self.store_name(store);
        if key.len() > MAX_KEY_BYTES {
            return self.refuse(Refusal::KeyTooLong { store: name.to_string(), bytes: key.len() });
        }
        if self.check(bytes, name) {
            self.effects.borrow_mut().writes.push(Write { store, key: key.into(), value });
        }
    }

    pub(crate) fn delete(&self, store: usize, key: &str) {
        if key.len() > MAX_KEY_BYTES {
            // It was never there.
            return;
        }
        self.effects.borrow_mut().writes.push(Write { store, key: key.into(), value: None });
    }

    /// Sends a value that `of` has become.
    pub(crate) fn send<V: AvroRecord>(&self, sink: usize, key: String, value: &V, of: Erased<'_>) {
        let (graph, timestamp) = (self.graph, of.timestamp);
        let definition = &graph.sinks[sink];
        if timestamp > self.limits.latest_timestamp {
            return self.refuse(Refusal::Future(timestamp.as_millis()));
        }
        match self.schemas.encode(&definition.subject, value) {
            Ok(value) => {
                if self.check(key.len() + value.len(), &definition.topic.name) {
                    let (trace, joined) = (of.trace.cloned(), of.joined.cloned());
                    self.effects.borrow_mut().outputs.push(Output { sink, key, value, timestamp, trace, joined });
                }
            }
            Err(cause) => self.refuse(unencodable(&definition.subject, &cause)),
        }
    }

    /// Puts a value aside that `of` has become, and that is encoded as those of [`Graph::given_up`].
    pub(crate) fn give_up<V: AvroRecord>(&self, schema_of: usize, value: &V, of: Erased<'_>, cause: Refusal) {
        let Erased { key, timestamp, trace, .. } = of;
        let subject = subject(&self.graph.given_up[schema_of].name);
        match self.schemas.encode(&subject, value) {
            Ok(value) => {
                if self.check(key.len() + value.len(), &dead_letters(self.graph.name())) {
                    let (key, trace) = (key.to_string(), trace.cloned());
                    let given_up = GivenUp { key, value, timestamp, cause, store: None, trace };
                    self.effects.borrow_mut().given_up.push(given_up);
                }
            }
            Err(cause) => self.refuse(unencodable(&subject, &cause)),
        }
    }

    /// The key is not the one of the value.
    pub(crate) fn refuse_key(&self, store: usize, key: &str, derived: &str) {
        let store = self.store_name(store).to_string();
        self.refuse(Refusal::WrongKey { store, key: key.to_string(), derived: derived.to_string() });
    }

    /// The first refusal is the cause; what follows from it would only hide it.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.refusal.borrow_mut().get_or_insert(refusal);
    }

    fn refuse_state<S>(&self, store: usize, cause: &DecodeError) -> Option<S> {
        let store = self.store_name(store).to_string();
        self.refuse(Refusal::State { store, cause: cause.to_string() });
        None
    }

    fn check(&self, bytes: usize, topic: &str) -> bool {
        let limit = self.limits.max_record_bytes;
        if bytes > limit {
            self.refuse(Refusal::TooLarge { topic: topic.to_string(), bytes, limit });
        }
        bytes <= limit
    }

    fn store_name(&self, store: usize) -> &'t str {
        &self.graph.stores[self.stores[store].definition].name
    }
}

impl fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("effects", &self.effects).finish_non_exhaustive()
    }
}

fn unencodable(subject: &str, cause: &EncodeError) -> Refusal {
    Refusal::Unencodable { subject: subject.to_string(), cause: cause.to_string() }
}
