use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use avro_codec::AvroRecord;

use crate::Topology;
use crate::step::Step;
use crate::store::{Store, Stores};

/// A handle on a table: a store that holds what its topic says, so that handlers look up in it and do not write. Made by
/// [`Topology::table`]; whatever reads a [`Store`] reads a table, too.
pub struct Table<V>(Store<V>);

/// What a handler may do with a [`Table`] or a [`GlobalTable`](crate::GlobalTable): look up.
pub struct Lookup<'a, V> {
    step: &'a Step<'a>,
    place: Place,
    value: PhantomData<fn() -> V>,
}

/// Where to look, by its index among the stores of the task or the global tables of the graph.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Store(usize),
    Global(usize),
}

impl<V> Table<V> {
    pub(crate) fn of(store: Store<V>) -> Self {
        Self(store)
    }
}

impl<'a, V: AvroRecord> Lookup<'a, V> {
    pub(crate) fn new(step: &'a Step<'a>, place: Place) -> Self {
        Self { step, place, value: PhantomData }
    }

    /// The value that `key` has at this moment.
    pub fn get(&self, key: &str) -> Option<V> {
        match self.place {
            Place::Store(store) => self.step.get(store, key),
            Place::Global(table) => self.step.look_up(table, key),
        }
    }
}

impl<V: AvroRecord> Stores for Table<V> {
    type Access<'a> = Lookup<'a, V>;

    fn attach(&self, topology: &Topology, node: usize) {
        self.0.attach(topology, node);
    }

    fn open<'a>(&self, step: &'a Step<'a>) -> Lookup<'a, V> {
        Lookup::new(step, Place::Store(step.store_index(self.0.name())))
    }
}

impl<V> Deref for Table<V> {
    type Target = Store<V>;

    fn deref(&self) -> &Store<V> {
        &self.0
    }
}

impl<V> Clone for Table<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V: fmt::Debug> fmt::Debug for Table<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Table").field(&self.0).finish()
    }
}

impl<V> fmt::Debug for Lookup<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("place", &self.place).finish_non_exhaustive()
    }
}
