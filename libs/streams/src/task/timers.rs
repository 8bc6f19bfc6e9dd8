use super::Task;
use crate::give_up::GivenUp;
use crate::graph::Erased;
use crate::refusal::Refusal;
use crate::state::StoreError;
use crate::step::Write;
use crate::timer::Schedule;
use crate::topology::Clock;
use crate::{Limits, Output, Timestamp};

/// The timers of a task: each entry of their stores that waits stands in a schedule.
impl Task {
    /// Fires the next timer that is due, if there is one. The runner calls it until nothing is due: after each record for
    /// stream time, and with the time on the wall when [`Task::next_deadline`] has come and no input is waiting.
    pub fn fire(
        &mut self,
        wall: Option<Timestamp>,
        limits: Limits,
        outputs: &mut Vec<Output>,
    ) -> Option<Result<(), Refusal>> {
        let graph = self.graph.clone();
        let due = self.schedules.iter().position(|schedule| {
            let timer = &graph.timers[schedule.timer];
            match (timer.clock, schedule.first()) {
                (Clock::Stream, Some(since)) => since + timer.after <= self.stream_time,
                (Clock::Wall, Some(since)) => match (wall, self.caught_up_at) {
                    (Some(now), Some(caught_up)) => since.max(caught_up) + timer.after <= now,
                    _ => false,
                },
                (_, None) => false,
            }
        })?;
        let timer = &graph.timers[self.schedules[due].timer];
        let store = self.schedules[due].store;
        let (since, key) = self.schedules[due].pop()?;
        let timestamp = match timer.clock {
            Clock::Wall => wall?,
            Clock::Stream => since + timer.after,
        };
        self.rescheduled.push((due, key.clone(), Some(since)));
        let value = match self.current(store, &key) {
            Ok(value) => value,
            Err(error) => return Some(Err(error.into())),
        };
        if timer.removes {
            let removed = self.attempt(limits, |step| {
                step.delete(store, &key);
                Ok(())
            });
            match removed {
                Ok(effects) => self.merge(effects, outputs),
                Err(refusal) => return Some(Err(refusal)),
            }
        }
        let fired = self.attempt(limits, |step| match &value {
            Some(value) => (timer.decode)(&self.schemas, value, &mut |value| {
                graph.run(timer.node, step, Erased { key: &key, value, timestamp, trace: None, joined: None });
            })
            .map_err(|error| Refusal::State { store: timer.store.clone(), cause: error.to_string() }),
            None => Ok(()),
        });
        let before = self.given_up.len();
        let fired = match (fired, value) {
            (Ok(effects), _) => {
                self.merge(effects, outputs);
                Ok(())
            }
            (Err(cause), Some(value)) if timer.removes && !matches!(cause, Refusal::Broken(_)) => {
                self.given_up.push(GivenUp { key: key.into(), value, timestamp, cause, store: None, trace: None });
                Ok(())
            }
            (Err(cause), _) => Err(cause),
        };
        self.given_up[before..].iter_mut().for_each(|given_up| given_up.store = Some(timer.store.clone()));
        Some(fired)
    }

    /// When the next wall-clock timer is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let caught_up = self.caught_up_at?;
        let wall = self.schedules.iter().filter_map(|schedule| {
            let timer = &self.graph.timers[schedule.timer];
            (timer.clock == Clock::Wall).then_some(schedule.first()?.max(caught_up) + timer.after)
        });
        wall.min()
    }

    /// Sets the timers after the stores and the stream time were restored. By stream time, what was due has fired before
    /// the commit that is gone on from; by the wall clock nobody knows, so it fires again.
    ///
    /// # Errors
    /// A store does not answer, or a restored value cannot be decoded.
    pub fn restored(&mut self) -> Result<(), StoreError> {
        let Self { schedules, stores, graph, schemas, stream_time, .. } = self;
        for schedule in schedules {
            let timer = &graph.timers[schedule.timer];
            let has_fired = |since: &Timestamp| timer.clock == Clock::Stream && *since + timer.after <= *stream_time;
            schedule.clear();
            let mut illegible = None;
            stores[schedule.store].committed.visit(&mut |key, value| match (timer.since)(schemas, key, value) {
                Ok(since) => drop(schedule.set(key, since.filter(|since| !has_fired(since)))),
                Err(error) => illegible = Some(format!("{}/{key}: {error}", timer.store)),
            })?;
            illegible.map_or(Ok(()), |cause| Err(StoreError::new(cause)))?;
        }
        Ok(())
    }

    /// Asks the timers of the store since when a written entry waits.
    pub(super) fn deadlines(&self, write: &Write) -> Vec<(usize, Option<Timestamp>)> {
        let schedules = self.schedules.iter().enumerate().filter(|(_, schedule)| schedule.store == write.store);
        let since = |(index, schedule): (usize, &Schedule)| {
            let since = &self.graph.timers[schedule.timer].since;
            // A value that cannot be read has no deadline; the record that meets it is refused and says so.
            (index, write.value.as_deref().and_then(|value| since(&self.schemas, &write.key, value).ok().flatten()))
        };
        schedules.map(since).collect()
    }

    fn current(&self, store: usize, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let store = &self.stores[store];
        match store.overlay.get(key) {
            Some(value) => Ok(value.as_deref().map(<[u8]>::to_vec)),
            None => store.committed.get(key),
        }
    }
}
