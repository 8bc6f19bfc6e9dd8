use std::collections::{BTreeMap, BTreeSet};

use streams::{Checkpoint, Limits, Output, Refusal, StoreError, Task, Timestamp};

use crate::forward::{Origin, Place, PositionMetadata, Seen};
use crate::producer::Failure;

/// A task of this thread, with the positions of its inputs.
#[derive(Debug)]
pub(crate) struct Assigned {
    pub(crate) task: Task,
    inputs: BTreeMap<String, Position>,
    /// Inputs that wait until what is there in the others has been read.
    held_back: BTreeSet<String>,
    /// Those that have waited, until that is committed.
    released: BTreeSet<String>,
    /// A timer wrote something: the transaction must carry a position even if none moved.
    is_touched: bool,
    has_committed: bool,
    /// Its timers stand, if nothing is restored from here on.
    is_restored: bool,
    is_ready: bool,
}

/// Where an input stands.
#[derive(Debug)]
struct Position {
    /// The offset of the next record.
    next: i64,
    committed: i64,
    /// What of a repartition topic has come so far.
    seen: Seen,
    committed_seen: Seen,
    /// When the reading began, of an input that is forwarded.
    incarnation: Option<i64>,
    is_incarnation_committed: bool,
}

impl Assigned {
    /// A task that has inputs yet to be told where they begin; not ready before its stores are restored. `is_restored`:
    /// it was suspended when they were.
    pub(crate) fn new(task: Task, is_restored: bool) -> Self {
        Self {
            task,
            inputs: BTreeMap::new(),
            held_back: BTreeSet::new(),
            released: BTreeSet::new(),
            is_touched: false,
            has_committed: false,
            is_restored,
            is_ready: false,
        }
    }

    /// Lets an input begin at `offset`: it was never committed.
    pub(crate) fn begin_at(&mut self, topic: &str, offset: i64) {
        self.inputs.insert(topic.to_string(), Position::at(offset));
    }

    /// Lets an input go on from a committed offset and what was committed with it.
    pub(crate) fn resume_at(&mut self, topic: &str, offset: i64, metadata: PositionMetadata) {
        let PositionMetadata { stream_time, incarnation, seen } = metadata;
        let is_incarnation_committed = incarnation.is_some();
        let committed_seen = seen.clone();
        let position = Position { seen, committed_seen, incarnation, is_incarnation_committed, ..Position::at(offset) };
        self.inputs.insert(topic.to_string(), position);
        self.has_committed = true;
        if stream_time > self.task.stream_time() {
            // Somebody else has been at work since the timers were set.
            self.is_restored = false;
            self.task.set_stream_time(stream_time);
        }
    }

    /// Lets an input that is forwarded begin an incarnation now, unless it goes on with one.
    pub(crate) fn incarnate(&mut self, topic: &str, now: Timestamp) {
        if let Some(position) = self.inputs.get_mut(topic) {
            position.incarnation.get_or_insert(now.as_millis());
        }
    }

    /// Lets an input wait for the others.
    pub(crate) fn hold_back(&mut self, topic: &str) {
        self.held_back.insert(topic.to_string());
    }

    /// The inputs that wait for others.
    pub(crate) fn held_back(&self) -> impl Iterator<Item = &str> {
        self.held_back.iter().map(String::as_str)
    }

    /// Whether it has an input that waits for others.
    pub(crate) fn is_bootstrapping(&self) -> bool {
        !self.held_back.is_empty()
    }

    /// The inputs that wait need not wait any longer.
    pub(crate) fn end_bootstrap(&mut self) -> BTreeSet<String> {
        self.released = std::mem::take(&mut self.held_back);
        self.released.clone()
    }

    /// Whether an input may be read.
    pub(crate) fn is_open(&self, topic: &str) -> bool {
        self.is_ready && !self.held_back.contains(topic)
    }

    /// Whether any input was ever committed.
    pub(crate) fn has_committed(&self) -> bool {
        self.has_committed
    }

    /// Records were read back into its stores.
    pub(crate) fn restoring(&mut self) {
        self.is_restored = false;
    }

    /// The stores are restored.
    pub(crate) fn make_ready(&mut self) -> Result<(), StoreError> {
        if !self.is_restored {
            self.task.restored()?;
        }
        self.is_restored = true;
        self.is_ready = true;
        self.touch_stores()
    }

    /// Notes in the stores that they are up to date.
    pub(crate) fn touch_stores(&self) -> Result<(), StoreError> {
        let restorations = self.task.restorations().into_iter();
        let mut stores = restorations.filter_map(|restoration| self.task.store(&restoration.store));
        stores.try_for_each(|store| store.touch())
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// The task to be suspended, and whether its timers stand.
    pub(crate) fn suspended(self) -> (Task, bool) {
        (self.task, self.is_restored && self.is_ready)
    }

    /// Whether the record at `offset` was processed before.
    pub(crate) fn is_past(&self, topic: &str, offset: i64) -> bool {
        self.inputs.get(topic).is_some_and(|position| offset < position.next)
    }

    /// Whether the record of `topic` was forwarded twice, and processed once.
    pub(crate) fn has_seen(&self, topic: &str, origin: &Origin<'_>) -> bool {
        self.inputs.get(topic).is_some_and(|position| position.seen.includes(origin))
    }

    /// A record of `topic` is processed that was forwarded.
    pub(crate) fn note(&mut self, topic: &str, origin: &Origin<'_>) {
        if let Some(position) = self.inputs.get_mut(topic) {
            position.seen.note(origin);
        }
    }

    /// What the first record is marked with that is made from the one at `offset`, where they are forwarded.
    pub(crate) fn origin<'a>(&self, topic: &'a str, offset: i64) -> Option<Origin<'a>> {
        let incarnation = self.inputs.get(topic)?.incarnation?;
        Some(Origin { topic, partition: self.task.id().partition, place: Place { incarnation, offset, index: 0 } })
    }

    /// Whether an incarnation has begun that only this process knows of.
    pub(crate) fn is_incarnating(&self) -> bool {
        self.inputs.values().any(Position::is_incarnating)
    }

    /// The next record of `topic` is at `offset`.
    pub(crate) fn advance(&mut self, topic: &str, offset: i64) {
        if let Some(position) = self.inputs.get_mut(topic) {
            position.next = offset;
        }
    }

    /// Fires everything that is due, by the wall clock only if its time is given.
    pub(crate) fn fire(
        &mut self,
        wall: Option<Timestamp>,
        limits: Limits,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Failure> {
        while let Some(fired) = self.task.fire(wall, limits, outputs) {
            match fired {
                Ok(()) => {}
                Err(Refusal::Broken(error)) => return Err(Failure::Broken(error)),
                // There is no record to put aside; the entry stays in its store.
                Err(refusal) => tracing::error!(task = %self.task.id(), %refusal, "a timer could not be handled"),
            }
        }
        Ok(())
    }

    pub(crate) fn touch(&mut self) {
        self.is_touched = true;
    }

    /// The inputs whose position belongs into the next commit, with what is committed beside it.
    pub(crate) fn moved(&self) -> impl Iterator<Item = (&str, i64, PositionMetadata)> {
        let moved =
            |position: &Position| self.is_touched || position.next != position.committed || position.is_incarnating();
        let stream_time = self.task.stream_time();
        self.inputs.iter().filter(move |(_, position)| moved(position)).map(move |(topic, position)| {
            let Position { next, incarnation, ref seen, .. } = *position;
            (&**topic, next, PositionMetadata { stream_time, incarnation, seen: seen.clone() })
        })
    }

    /// All inputs: topic and the offset of the next record.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, i64)> {
        self.inputs.iter().map(|(topic, position)| (&**topic, position.next))
    }

    /// Where the last commit left each input.
    pub(crate) fn committed_positions(&self) -> impl Iterator<Item = (&str, i64)> {
        self.inputs.iter().map(|(topic, position)| (&**topic, position.committed))
    }

    /// The epoch is committed: its changes become the state, its positions the committed ones. `checkpoint` is asked how
    /// far a changelog was written; a table has come as far as its input.
    pub(crate) fn commit(
        &mut self,
        checkpoint: impl Fn(&str) -> Option<Checkpoint>,
        changed: impl FnMut(&str, &str),
    ) -> Result<(), StoreError> {
        let moved = |topic: &str| {
            let position = self.inputs.get(topic).filter(|position| position.next != position.committed)?;
            Some(Checkpoint { offset: position.next, timestamp: 0 })
        };
        self.task.commit(|topic| checkpoint(topic).or_else(|| moved(topic)), changed)?;
        self.is_touched = false;
        self.released.clear();
        self.inputs.values_mut().for_each(Position::commit);
        Ok(())
    }

    /// The positions are where the last commit left them.
    pub(crate) fn rewind(&mut self) {
        self.is_touched = false;
        // What was to be read before them is read again.
        self.held_back.append(&mut self.released);
        self.inputs.values_mut().for_each(Position::rewind);
    }
}

impl Position {
    fn at(offset: i64) -> Self {
        Self {
            next: offset,
            committed: offset,
            seen: Seen::default(),
            committed_seen: Seen::default(),
            incarnation: None,
            is_incarnation_committed: false,
        }
    }

    fn is_incarnating(&self) -> bool {
        self.incarnation.is_some() && !self.is_incarnation_committed
    }

    fn commit(&mut self) {
        self.committed = self.next;
        self.committed_seen.clone_from(&self.seen);
        self.is_incarnation_committed = true;
    }

    fn rewind(&mut self) {
        self.next = self.committed;
        self.seen.clone_from(&self.committed_seen);
    }
}
