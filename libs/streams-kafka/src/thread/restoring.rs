use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::Consumer;

use super::{StreamThread, positions};
use crate::assigned::Assigned;
use crate::bootstrap::Bootstrap;
use crate::clock::Stopwatch;
use crate::restore::{Job, Restored, Restorer, Turn};
use crate::{Status, StreamsError};

/// How long a turn may restore before it looks after the tasks that are ready.
const RESTORE_SLICE: Duration = Duration::from_millis(20);

impl StreamThread {
    /// After an assignment: restores what the stores of the new tasks lack.
    pub(super) fn follow_assignment(&mut self) -> Result<(), StreamsError> {
        let generation = self.consumer.context().generation();
        if generation == self.generation {
            return Ok(());
        }
        self.generation = generation;
        self.bootstrap = Bootstrap::default();
        self.caught_up.forget(&self.consumer);
        self.restorer = None;
        let mut jobs = Vec::new();
        let mut stateless = Vec::new();
        for (id, assigned) in &self.epoch().tasks {
            let before = jobs.len();
            for restoration in assigned.task.restorations() {
                let Some(share) = assigned.task.store(&restoration.store) else { continue };
                let until = restoration
                    .is_input
                    .then(|| assigned.inputs().find(|(topic, _)| *topic == restoration.topic).map_or(0, |(_, at)| at));
                let graph = self.world.graph.clone();
                jobs.push(Job { task: *id, topic: restoration.topic, share, until, graph, records: 0 });
            }
            if jobs.len() == before {
                stateless.push(*id);
            }
        }
        self.epoch().metrics.restoring(self.world.thread, 0, jobs.len());
        self.unready = stateless.into_iter().collect();
        if !jobs.is_empty() {
            if !self.was_running {
                self.world.status.set(Status::Restoring(format!("{} shares of stores", jobs.len())));
            }
            self.restorer = Some(Restorer::new(&self.world.settings, &self.world.schemas, jobs)?);
        }
        self.make_ready()
    }

    /// Restores a little more. The tasks that are ready go on meanwhile.
    pub(super) fn restore(&mut self) -> Result<(), StreamsError> {
        if self.restorer.is_none() {
            return Ok(());
        }
        let start = Stopwatch::start();
        while let Some(restorer) = self.restorer.as_mut().filter(|_| start.elapsed() < RESTORE_SLICE) {
            let turn = restorer.turn()?;
            for id in restorer.unresolved() {
                (self.world.resolve)(*id);
            }
            let remaining = restorer.remaining();
            let (records, shares, read) =
                (restorer.remaining_records(), restorer.remaining_shares(), restorer.take_read());
            let epoch = self.consumer.context().epoch();
            epoch.metrics.restoring(self.world.thread, records, shares);
            epoch.metrics.restored_records.add(read, &epoch.metrics.labels);
            drop(epoch);
            if let Turn::Complete(restored) = turn {
                self.note(restored)?;
                if !self.was_running {
                    self.world.status.set(Status::Restoring(remaining));
                }
            }
            if let Turn::Waiting = turn {
                break;
            }
        }
        self.make_ready()
    }

    /// Takes note of a share that is complete.
    fn note(&mut self, restored: Restored) -> Result<(), StreamsError> {
        let mut epoch = self.consumer.context().epoch();
        let Some(assigned) = epoch.tasks.get_mut(&restored.task) else { return Ok(()) };
        if restored.has_state && !assigned.has_committed() {
            return Err(StreamsError::Configuration(format!(
                "task {} has state but no committed offsets (they have expired, or the group was deleted): starting \
                 over would process its input twice; set the offsets of group `{}` with kafka-consumer-groups, or \
                 delete the changelogs of the service to start anew",
                restored.task,
                self.world.settings.topic(self.world.graph.name()),
            )));
        }
        if restored.records > 0 {
            assigned.restoring();
        }
        if restored.completes_task {
            self.unready.insert(restored.task);
        }
        Ok(())
    }

    /// Lets the tasks work whose stores are restored, and understood.
    pub(super) fn make_ready(&mut self) -> Result<(), StreamsError> {
        let is_understood = |restorer: &mut Restorer| restorer.unresolved().is_empty();
        if !self.restorer.as_mut().is_none_or(is_understood) {
            return Ok(());
        }
        self.restorer = self.restorer.take().filter(|restorer| !restorer.is_complete());
        if self.unready.is_empty() && self.was_running {
            return Ok(());
        }
        let ids = std::mem::take(&mut self.unready);
        let mut epoch = self.consumer.context().epoch();
        // A task looks through its stores for the timers that wait, which takes as long as they are large.
        thread::scope(|scope| {
            let tasks = epoch.tasks.iter_mut().filter(|(id, _)| ids.contains(id));
            let looking: Vec<_> = tasks.map(|(_, assigned)| scope.spawn(|| assigned.make_ready())).collect();
            looking.into_iter().try_for_each(|look| look.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })?;
        for (id, assigned) in epoch.tasks.iter().filter(|(id, _)| ids.contains(id)) {
            for restoration in assigned.task.restorations() {
                if let Some(share) = assigned.task.store(&restoration.store) {
                    self.world.shares.serve(&restoration.store, id.partition, share);
                }
            }
        }
        let start = positions(&epoch, |id, _| ids.contains(&id));
        self.consumer.resume(&start)?;
        self.wake(start);
        let is_whole = self.consumer.context().incomplete().is_empty();
        if epoch.group.is_some() && is_whole && epoch.tasks.values().all(Assigned::is_ready) {
            self.was_running = true;
            self.world.status.set(Status::Running);
        }
        Ok(())
    }
}
