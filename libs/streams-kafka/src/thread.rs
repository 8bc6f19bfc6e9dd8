mod leave;

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use avro_codec::{SchemaId, Status as SchemaStatus};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use streams::TaskId;

use crate::assigned::Assigned;
use crate::caught_up::CaughtUp;
use crate::clock::{Stopwatch, wall_clock};
use crate::epoch::Epoch;
use crate::membership::Membership;
use crate::poll::poll;
use crate::producer::{Failure, TransactionalProducer};
use crate::purge::Purge;
use crate::restore::{Job, Restored, Restorer, Turn};
use crate::stores::Stores;
use crate::world::World;
use crate::{Status, StreamsError};

/// An operating system thread with one consumer, one transactional producer and the tasks of its partitions.
pub(crate) struct StreamThread {
    world: World,
    consumer: BaseConsumer<Membership>,
    restorer: Option<Restorer>,
    caught_up: CaughtUp,
    purge: Purge,
    generation: u64,
    /// Tasks whose stores are read, though not all that is in them is understood yet.
    unready: BTreeSet<TaskId>,
    /// Partitions that wait for a schema.
    paused: BTreeSet<(String, i32)>,
    /// All its tasks were ready once; what is restored later does not make the process unready.
    was_running: bool,
    since_touch: Stopwatch,
}

/// How long a turn may restore before it looks after the tasks that are ready.
const RESTORE_SLICE: Duration = Duration::from_millis(20);
/// Between two looks whether what is to be restored can be read.
const RESTORE_POLL: Duration = Duration::from_millis(10);
/// Longest sleep of a thread with nothing to do.
const IDLE_POLL: Duration = Duration::from_millis(100);
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two notes on disk that the local state is up to date, even if nothing changes.
const TOUCH_INTERVAL: Duration = Duration::from_secs(10 * 60);

impl StreamThread {
    /// Connects and joins the group.
    pub(crate) fn join(world: World) -> Result<Self, StreamsError> {
        let World { graph, settings, schemas, shares, thread, .. } = world.clone();
        let producer = connect_producer(&world)?;
        let stores = Stores::of(&world, &producer)?;
        let group = graph.name().to_string();
        let topics: Vec<String> = graph.inputs().map(|topic| settings.topic(&topic.name)).collect();
        let epoch = Epoch::new(graph, settings.clone(), schemas, shares, producer);
        let membership = Membership::new(epoch, stores, world.suspended.clone(), thread);
        let consumer: BaseConsumer<Membership> = settings.consumer(&group, thread).create_with_context(membership)?;
        consumer.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(Self {
            world,
            consumer,
            restorer: None,
            caught_up: CaughtUp::default(),
            purge: Purge::new(),
            generation: 0,
            unready: BTreeSet::new(),
            paused: BTreeSet::new(),
            was_running: false,
            since_touch: Stopwatch::start(),
        })
    }

    /// Runs until it is asked to stop. A graceful stop commits what is open.
    pub(crate) fn run(mut self) -> Result<(), StreamsError> {
        let ended = self.work();
        if ended.is_err() {
            // Leaving the group commits what is open; after an error that must be nothing.
            self.epoch().forget();
        }
        ended
    }

    fn work(&mut self) -> Result<(), StreamsError> {
        while !self.world.wish.to_end() {
            if let Err(failure) = self.turn() {
                self.recover(failure)?;
            }
            self.follow_assignment()?;
            self.restore()?;
            self.await_schemas()?;
            self.purge.turn(&self.consumer.context().epoch());
            self.touch()?;
        }
        let committed = self.epoch().commit();
        committed.or_else(|failure| self.recover(failure))?;
        if self.world.wish.to_stop() { Ok(()) } else { self.leave() }
    }

    /// One turn: poll, process, fire what is due, and commit if it is time.
    fn turn(&mut self) -> Result<(), Failure> {
        if self.epoch().producer.is_worn() {
            tracing::warn!("the last transaction was slow to end; the producer is rebuilt");
            self.rebuild_producer("slow")?;
        }
        let (batch, is_drained) = poll(&self.consumer, self.idle_poll())?;
        // The time first: a process that is stopped from here on fires nothing by a time it has slept through.
        let now = wall_clock();
        self.caught_up.polled(&self.consumer);
        let mut epoch = self.consumer.context().epoch();
        for message in &batch {
            epoch.process(message, now)?;
            if epoch.is_overdue() {
                epoch.commit()?;
            }
        }
        if is_drained {
            epoch.fire_timers(now)?;
        }
        if epoch.is_due(is_drained) {
            epoch.commit()?;
        }
        drop(epoch);
        if is_drained {
            self.caught_up.drained(&self.consumer);
        }
        Ok(())
    }

    /// Makes the failed epoch never have happened and goes on from where the last commit left off.
    fn recover(&mut self, failure: Failure) -> Result<(), StreamsError> {
        let needs_rebuild = match failure {
            Failure::Rejoin(error) => return Err(StreamsError::Kafka(error)),
            Failure::Stop(error) => return Err(StreamsError::denied(&error)),
            Failure::Broken(error) => return Err(error.into()),
            Failure::Abort(error) => {
                tracing::warn!(%error, "the epoch is aborted and done again");
                self.epoch().abort().is_err()
            }
            Failure::Rebuild(error) => {
                tracing::warn!(%error, "the epoch is void; the producer is rebuilt");
                self.epoch().forget();
                true
            }
        };
        if needs_rebuild {
            self.rebuild_producer("failed").or_else(|failure| self.recover(failure))?;
        }
        self.rewind()
    }

    fn rebuild_producer(&mut self, cause: &'static str) -> Result<(), Failure> {
        let producer = connect_producer(&self.world).map_err(|error| match Failure::from(error) {
            Failure::Abort(error) | Failure::Rebuild(error) => Failure::Rejoin(error),
            other => other,
        })?;
        let mut epoch = self.epoch();
        epoch.metrics.rebuilds.add(1, &epoch.metrics.labels_with("cause", cause));
        epoch.producer = producer;
        Ok(())
    }

    /// After an abort the consumer does not go back by itself.
    fn rewind(&mut self) -> Result<(), StreamsError> {
        self.paused.clear();
        self.caught_up.forget(&self.consumer);
        let ready = positions(&self.epoch(), |_, _, is_ready| is_ready);
        self.seek_and_resume(&ready)
    }

    /// Moves the consumer. A partition that cannot be moved would silently skip records, so that is an error.
    fn seek_and_resume(&self, positions: &TopicPartitionList) -> Result<(), StreamsError> {
        if positions.count() > 0 {
            let moved = self.consumer.seek_partitions(positions.clone(), SEEK_TIMEOUT)?;
            moved.elements().iter().try_for_each(TopicPartitionListElem::error)?;
            self.consumer.resume(positions)?;
        }
        Ok(())
    }

    /// After an assignment: restores what the stores of the new tasks lack.
    fn follow_assignment(&mut self) -> Result<(), StreamsError> {
        let generation = self.consumer.context().generation();
        if generation == self.generation {
            return Ok(());
        }
        self.generation = generation;
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
    fn restore(&mut self) -> Result<(), StreamsError> {
        if self.restorer.is_none() {
            return Ok(());
        }
        let start = Stopwatch::start();
        while let Some(restorer) = self.restorer.as_mut().filter(|_| start.elapsed() < RESTORE_SLICE) {
            let turn = restorer.turn()?;
            for id in restorer.unresolved() {
                (self.world.resolve)(*id);
            }
            let (remaining, remaining_records) = (restorer.remaining(), restorer.remaining_records());
            self.epoch().metrics.restoring(remaining_records);
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
        epoch.metrics.restored_records.add(restored.records, &epoch.metrics.labels);
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
    fn make_ready(&mut self) -> Result<(), StreamsError> {
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
        let start = positions(&epoch, |id, _, _| ids.contains(&id));
        self.consumer.resume(&start)?;
        // Where everything was paused, the client looks for something to fetch once a second. A seek wakes it; one that is
        // refused finds a partition that wakes it itself, when it is started.
        let _ = self.consumer.seek_partitions(start, SEEK_TIMEOUT);
        if epoch.group.is_some() && epoch.tasks.values().all(Assigned::is_ready) {
            self.was_running = true;
            self.world.status.set(Status::Running);
        }
        Ok(())
    }

    /// Notes on disk that the stores are up to date: state that was not looked after for too long is not trusted.
    fn touch(&mut self) -> Result<(), StreamsError> {
        let since = self.since_touch.elapsed();
        if since > TOUCH_INTERVAL {
            self.since_touch = Stopwatch::start();
            self.world.suspended.close(self.world.thread);
            if since > 2 * TOUCH_INTERVAL {
                // It stood still, and may have lost its partitions without knowing it yet.
                return Ok(());
            }
            self.epoch().tasks.values().filter(|assigned| assigned.is_ready()).try_for_each(Assigned::touch_stores)?;
        }
        Ok(())
    }

    /// Partitions that met an unknown schema wait at that record, paused but still ours, until the registry has
    /// answered.
    fn await_schemas(&mut self) -> Result<(), StreamsError> {
        let mut epoch = self.consumer.context().epoch();
        if epoch.held.is_empty() && self.paused.is_empty() {
            return Ok(());
        }
        let schemas = &self.world.schemas;
        let is_answered = |id: &SchemaId| !matches!(schemas.status_of(*id), SchemaStatus::Unresolved(_));
        let answered: BTreeSet<(String, i32)> =
            epoch.held.iter().filter(|(_, id)| is_answered(id)).map(|(at, _)| at.clone()).collect();
        if !answered.is_empty() {
            let go_on = positions(&epoch, |id, topic, _| answered.contains(&(topic.to_string(), id.partition)));
            self.seek_and_resume(&go_on)?;
            epoch.held.retain(|at, _| !answered.contains(at));
        }
        epoch.held.values().for_each(|id| (self.world.resolve)(*id));
        let waiting: BTreeSet<(String, i32)> = epoch.held.keys().cloned().collect();
        if waiting != self.paused {
            self.consumer
                .pause(&positions(&epoch, |id, topic, _| waiting.contains(&(topic.to_string(), id.partition))))?;
            self.paused = waiting;
        }
        Ok(())
    }

    /// How long a poll may wait if there is nothing to do.
    fn idle_poll(&self) -> Duration {
        match &self.restorer {
            None => IDLE_POLL,
            Some(restorer) if restorer.is_reading() => Duration::ZERO,
            Some(_) => RESTORE_POLL,
        }
    }

    fn epoch(&self) -> std::sync::MutexGuard<'_, Epoch> {
        self.consumer.context().epoch()
    }
}

/// Builds the producer, waiting for a broker that is away for as long as nobody asks the thread to stop.
fn connect_producer(world: &World) -> Result<TransactionalProducer, KafkaError> {
    let config = world.settings.transactional_producer(world.graph.name(), world.thread);
    loop {
        match TransactionalProducer::connect(&config, world.settings.retry_backoff) {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && !world.wish.to_end() => {
                tracing::warn!(%error, "the transaction coordinator does not answer; trying again");
            }
            other => return other,
        }
    }
}

fn positions(epoch: &Epoch, includes: impl Fn(TaskId, &str, bool) -> bool) -> TopicPartitionList {
    let mut positions = TopicPartitionList::new();
    for (id, assigned) in &epoch.tasks {
        for (topic, offset) in assigned.inputs().filter(|(topic, _)| includes(*id, topic, assigned.is_ready())) {
            let added =
                positions.add_partition_offset(&epoch.settings.topic(topic), id.partition, Offset::Offset(offset));
            added.expect("a position is a plain offset");
        }
    }
    positions
}
