use std::collections::BTreeMap;

use streams::{Limits, Output, Task, Timestamp};

/// A task of this thread, with the positions of its inputs.
#[derive(Debug)]
pub(crate) struct Assigned {
    pub(crate) task: Task,
    inputs: BTreeMap<String, Position>,
    /// A timer wrote something: the transaction must carry a position even if none moved.
    is_touched: bool,
    has_committed: bool,
    is_ready: bool,
}

/// Where an input stands: the offset of the next record.
#[derive(Clone, Copy, Debug)]
struct Position {
    next: i64,
    committed: i64,
}

impl Assigned {
    /// A task whose inputs begin at the given offsets; not ready before its stores are restored.
    pub(crate) fn new(task: Task) -> Self {
        Self { task, inputs: BTreeMap::new(), is_touched: false, has_committed: false, is_ready: false }
    }

    /// Lets an input begin at `offset`: it was never committed.
    pub(crate) fn begin_at(&mut self, topic: &str, offset: i64) {
        self.inputs.insert(topic.to_string(), Position { next: offset, committed: offset });
    }

    /// Lets an input go on from a committed offset and the stream time that was committed with it.
    pub(crate) fn resume_at(&mut self, topic: &str, offset: i64, stream_time: Option<Timestamp>) {
        self.begin_at(topic, offset);
        self.has_committed = true;
        let stream_time = stream_time.unwrap_or(Timestamp::MIN).max(self.task.stream_time());
        self.task.set_stream_time(stream_time);
    }

    /// Whether any input was ever committed.
    pub(crate) fn has_committed(&self) -> bool {
        self.has_committed
    }

    /// The stores are restored.
    pub(crate) fn make_ready(&mut self) {
        self.is_ready = true;
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Whether the record at `offset` was processed before.
    pub(crate) fn is_past(&self, topic: &str, offset: i64) -> bool {
        self.inputs.get(topic).is_some_and(|position| offset < position.next)
    }

    /// The next record of `topic` is at `offset`.
    pub(crate) fn advance(&mut self, topic: &str, offset: i64) {
        if let Some(position) = self.inputs.get_mut(topic) {
            position.next = offset;
        }
    }

    /// Fires everything that is due, by the wall clock only if its time is given.
    pub(crate) fn fire(&mut self, wall: Option<Timestamp>, limits: Limits, outputs: &mut Vec<Output>) {
        while let Some(fired) = self.task.fire(wall, limits, outputs) {
            if let Err(refusal) = fired {
                // There is no record to put aside; the entry stays in its store.
                tracing::error!(task = %self.task.id(), %refusal, "a timer could not be handled");
            }
        }
    }

    pub(crate) fn touch(&mut self) {
        self.is_touched = true;
    }

    /// The inputs whose position belongs into the next commit.
    pub(crate) fn moved(&self) -> impl Iterator<Item = (&str, i64)> {
        let moved = |position: &Position| self.is_touched || position.next != position.committed;
        self.inputs
            .iter()
            .filter(move |(_, position)| moved(position))
            .map(|(topic, position)| (&**topic, position.next))
    }

    /// All inputs: topic and the offset of the next record.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, i64)> {
        self.inputs.iter().map(|(topic, position)| (&**topic, position.next))
    }

    /// Where the last commit left each input.
    pub(crate) fn committed_positions(&self) -> impl Iterator<Item = (&str, i64)> {
        self.inputs.iter().map(|(topic, position)| (&**topic, position.committed))
    }

    /// The positions are committed.
    pub(crate) fn committed(&mut self) {
        self.is_touched = false;
        self.inputs.values_mut().for_each(|position| position.committed = position.next);
    }

    /// The positions are where the last commit left them.
    pub(crate) fn rewind(&mut self) {
        self.is_touched = false;
        self.inputs.values_mut().for_each(|position| position.next = position.committed);
    }
}
