use std::collections::{BTreeSet, HashMap};

use crate::Timestamp;

/// The entries of one store that a timer waits for, by the moment they have waited since.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// Index of the timer in the graph.
    pub(crate) timer: usize,
    /// Index of its store in the task.
    pub(crate) store: usize,
    waiting: BTreeSet<(Timestamp, Box<str>)>,
    since: HashMap<Box<str>, Timestamp>,
}

impl Schedule {
    pub(crate) fn new(timer: usize, store: usize) -> Self {
        Self { timer, store, waiting: BTreeSet::new(), since: HashMap::new() }
    }

    /// Lets `key` wait since the given moment, or no longer; returns since when it waited before.
    pub(crate) fn set(&mut self, key: &str, since: Option<Timestamp>) -> Option<Timestamp> {
        let before = self.since.remove(key);
        if let Some(before) = before {
            self.waiting.remove(&(before, key.into()));
        }
        if let Some(since) = since {
            self.since.insert(key.into(), since);
            self.waiting.insert((since, key.into()));
        }
        before
    }

    /// Lets nothing wait.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.since.clear();
    }

    /// Since when the first key has waited.
    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(since, _)| *since)
    }

    /// Takes out the first key.
    pub(crate) fn pop(&mut self) -> Option<(Timestamp, Box<str>)> {
        let (since, key) = self.waiting.pop_first()?;
        self.since.remove(&key);
        Some((since, key))
    }
}
