use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use avro_codec::{SchemaId, Schemas, Status as SchemaStatus};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use streams::{Graph, TaskId};
use tokio::sync::watch;

use crate::caught_up::CaughtUp;
use crate::clock::wall_clock;
use crate::epoch::Epoch;
use crate::membership::Membership;
use crate::poll::poll;
use crate::producer::{Failure, TransactionalProducer};
use crate::purge::Purge;
use crate::restore::{Job, Restorer};
use crate::view::Shares;
use crate::{Settings, Status, StreamsError};

/// What a stream thread is given.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) graph: Arc<Graph>,
    pub(crate) settings: Settings,
    pub(crate) schemas: Schemas,
    pub(crate) shares: Arc<Shares>,
    pub(crate) resolve: Arc<dyn Fn(SchemaId) + Send + Sync>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) is_stopping: Arc<AtomicBool>,
}

/// An operating system thread with one consumer, one transactional producer and the tasks of its partitions.
pub(crate) struct StreamThread {
    world: World,
    consumer: BaseConsumer<Membership>,
    restorer: Option<Restorer>,
    caught_up: CaughtUp,
    purge: Purge,
    generation: u64,
    /// Partitions that wait for a schema.
    paused: BTreeSet<(String, i32)>,
}

/// Between two looks whether what is to be restored can be read.
const RESTORE_POLL: Duration = Duration::from_millis(10);
/// Longest sleep of a thread with nothing to do.
const IDLE_POLL: Duration = Duration::from_millis(100);
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);

impl StreamThread {
    /// Connects and joins the group.
    pub(crate) fn join(world: World) -> Result<Self, StreamsError> {
        let World { graph, settings, schemas, shares, .. } = world.clone();
        let producer = connect_producer(&world)?;
        let group = graph.name().to_string();
        let topics: Vec<String> = graph.inputs().map(|topic| settings.topic(&topic.name)).collect();
        let epoch = Epoch::new(graph, settings.clone(), schemas, shares, producer);
        let consumer: BaseConsumer<Membership> =
            settings.consumer(&group).create_with_context(Membership::new(epoch))?;
        consumer.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(Self {
            world,
            consumer,
            restorer: None,
            caught_up: CaughtUp::default(),
            purge: Purge::new(),
            generation: 0,
            paused: BTreeSet::new(),
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
        while !self.world.is_stopping.load(Ordering::Acquire) {
            if let Err(failure) = self.turn() {
                self.recover(failure)?;
            }
            self.follow_assignment()?;
            self.restore()?;
            self.await_schemas()?;
            self.purge.turn(&self.consumer.context().epoch());
        }
        let committed = self.epoch().commit();
        committed.or_else(|failure| self.recover(failure))
    }

    /// One turn: poll, process, fire what is due, and commit if it is time.
    fn turn(&mut self) -> Result<(), Failure> {
        if self.epoch().producer.is_worn() {
            self.rebuild_producer()?;
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
            Failure::Stop(error) => return Err(explain(&error)),
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
            self.rebuild_producer().or_else(|failure| self.recover(failure))?;
        }
        self.rewind()
    }

    fn rebuild_producer(&mut self) -> Result<(), Failure> {
        let producer = connect_producer(&self.world).map_err(|error| match Failure::from(error) {
            Failure::Abort(error) | Failure::Rebuild(error) => Failure::Rejoin(error),
            other => other,
        })?;
        let mut epoch = self.epoch();
        epoch.metrics.rebuilds.add(1, &epoch.metrics.labels);
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

    /// After an assignment: restores the stores of the new tasks.
    fn follow_assignment(&mut self) -> Result<(), StreamsError> {
        let generation = self.consumer.context().generation();
        if generation == self.generation {
            return Ok(());
        }
        self.generation = generation;
        self.caught_up.forget(&self.consumer);
        self.restorer = None;
        let mut jobs = Vec::new();
        for (id, assigned) in &self.epoch().tasks {
            for restoration in assigned.task.restorations() {
                let Some(share) = assigned.task.store(&restoration.store) else { continue };
                let until = restoration
                    .is_input
                    .then(|| assigned.inputs().find(|(topic, _)| *topic == restoration.topic).map_or(0, |(_, at)| at));
                jobs.push(Job { task: *id, topic: restoration.topic, share, until, graph: self.world.graph.clone() });
            }
        }
        if !jobs.is_empty() {
            self.restorer = Some(Restorer::new(&self.world.settings, &self.world.schemas, jobs)?);
        }
        self.make_ready()
    }

    fn restore(&mut self) -> Result<(), StreamsError> {
        let Some(restorer) = &mut self.restorer else { return Ok(()) };
        let restored = restorer.turn()?;
        for id in restorer.unresolved() {
            (self.world.resolve)(*id);
        }
        let is_complete = restorer.is_complete() && restorer.unresolved().is_empty();
        let remaining = restorer.remaining();
        if let Some(restored) = restored {
            let epoch = self.epoch();
            epoch.metrics.restored_records.add(restored.records, &epoch.metrics.labels);
            let has_committed = epoch.tasks.get(&restored.task).is_some_and(|assigned| assigned.has_committed());
            if restored.records > 0 && !has_committed {
                return Err(StreamsError::Configuration(format!(
                    "task {} has state but no committed offsets (they have expired, or the group was deleted): starting \
                     over would process its input twice; set the offsets of group `{}` with kafka-consumer-groups, or \
                     delete the changelogs of the service to start anew",
                    restored.task,
                    self.world.settings.topic(self.world.graph.name()),
                )));
            }
            drop(epoch);
            self.world.status.send_if_modified(|status| {
                let now = Status::Restoring(remaining);
                let is_new = *status != now;
                *status = now;
                is_new
            });
        }
        if is_complete {
            self.restorer = None;
            self.make_ready()?;
        }
        Ok(())
    }

    /// Lets the tasks work whose stores are restored.
    fn make_ready(&mut self) -> Result<(), StreamsError> {
        if self.restorer.is_some() {
            return Ok(());
        }
        let mut epoch = self.epoch();
        let epoch = &mut *epoch;
        for (id, assigned) in &mut epoch.tasks {
            assigned.task.restored().map_err(|error| StreamsError::State(error.to_string()))?;
            assigned.make_ready();
            for restoration in assigned.task.restorations() {
                if let Some(share) = assigned.task.store(&restoration.store) {
                    self.world.shares.serve(&restoration.store, id.partition, share);
                }
            }
        }
        let ready = positions(epoch, |_, _, _| true);
        self.consumer.resume(&ready)?;
        if epoch.group.is_some() {
            self.world.status.send_replace(Status::Running);
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
    let config = world.settings.transactional_producer(world.graph.name(), 0);
    loop {
        match TransactionalProducer::connect(&config) {
            Err(KafkaError::Transaction(error))
                if error.is_retriable() && !world.is_stopping.load(Ordering::Acquire) =>
            {
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

/// Says what an operator has to do.
fn explain(error: &KafkaError) -> StreamsError {
    StreamsError::Configuration(match error {
        KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset) => {
            "a committed offset is no longer in the log (records were deleted before they were read): decide where to go \
             on and set the group's offsets with kafka-consumer-groups --reset-offsets"
                .to_string()
        }
        KafkaError::MessageConsumption(
            code @ (RDKafkaErrorCode::BadCompression | RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::NotImplemented),
        ) => format!("an input holds a batch that cannot be unpacked ({code}): look at what writes it"),
        KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId) => {
            "another process has joined the group in this instance's slot: give every instance its own --instance"
                .to_string()
        }
        error => format!("the broker does not allow what the service does: {error}"),
    })
}
