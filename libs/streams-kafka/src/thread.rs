mod group;
mod leave;
mod restoring;

use std::collections::BTreeSet;
use std::time::Duration;

use avro_codec::{SchemaId, Status as SchemaStatus};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use streams::TaskId;

use crate::StreamsError;
use crate::assigned::Assigned;
use crate::bootstrap::Bootstrap;
use crate::caught_up::CaughtUp;
use crate::clock::{Stopwatch, wall_clock};
use crate::epoch::Epoch;
use crate::forward::Forwarder;
use crate::membership::Membership;
use crate::poll::poll;
use crate::producer::{Failure, TransactionalProducer};
use crate::purge::Purge;
use crate::restore::Restorer;
use crate::stores::Stores;
use crate::world::World;

/// An operating system thread with one consumer, one transactional producer and the tasks of its partitions.
pub(crate) struct StreamThread {
    world: World,
    consumer: BaseConsumer<Membership>,
    restorer: Option<Restorer>,
    bootstrap: Bootstrap,
    caught_up: CaughtUp,
    purge: Purge,
    generation: u64,
    /// Tasks whose stores are read, though not all that is in them is understood yet.
    unready: BTreeSet<TaskId>,
    /// Partitions that wait for a schema.
    paused: BTreeSet<(String, i32)>,
    /// All its tasks were ready once; what is restored later does not make the process unready.
    was_running: bool,
    /// How long it stays if it is assigned half of a task.
    patience: Duration,
    since_join: Stopwatch,
    /// Since it last was a member of its group.
    since_group: Stopwatch,
    since_touch: Stopwatch,
}

/// Between two looks whether what is waited for can be read.
const RESTORE_POLL: Duration = Duration::from_millis(10);
/// Longest sleep of a thread with nothing to do.
const IDLE_POLL: Duration = Duration::from_millis(100);
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two notes on disk that the local state is up to date, even if nothing changes.
const TOUCH_INTERVAL: Duration = Duration::from_secs(10 * 60);

impl StreamThread {
    /// Connects and joins the group. `patience` is how long it stays if it is assigned half of a task.
    pub(crate) fn join(world: World, patience: Duration) -> Result<Self, StreamsError> {
        let World { graph, settings, schemas, shares, thread, .. } = world.clone();
        let producer = connect_producer(&world)?;
        let forwarder = connect_forwarder(&world)?;
        let stores = Stores::of(&world, &producer)?;
        let group = graph.name().to_string();
        let topics: Vec<String> = graph.inputs().map(|topic| settings.topic(&topic.name)).collect();
        let epoch = Epoch::new(graph, settings.clone(), schemas, shares, producer, forwarder);
        let membership = Membership::new(epoch, stores, world.suspended.clone(), thread);
        let consumer: BaseConsumer<Membership> = settings.consumer(&group, thread).create_with_context(membership)?;
        consumer.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(Self {
            world,
            consumer,
            restorer: None,
            bootstrap: Bootstrap::default(),
            caught_up: CaughtUp::default(),
            purge: Purge::new(),
            generation: 0,
            unready: BTreeSet::new(),
            paused: BTreeSet::new(),
            was_running: false,
            patience,
            since_join: Stopwatch::start(),
            since_group: Stopwatch::start(),
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
            self.look_after_membership()?;
            self.restore()?;
            self.end_bootstraps()?;
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
                let mut epoch = self.epoch();
                epoch.metrics.aborts.add(1, &epoch.metrics.labels);
                epoch.forget();
                drop(epoch);
                true
            }
        };
        if needs_rebuild {
            self.rebuild_producer("failed").or_else(|failure| self.recover(failure))?;
            // What it has in flight may be lost, and is sent again since everything is read again.
            self.epoch().forwarder = connect_forwarder(&self.world)?;
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
        self.bootstrap = Bootstrap::default();
        let epoch = self.consumer.context().epoch();
        let mut held_back = TopicPartitionList::new();
        for (id, assigned) in &epoch.tasks {
            assigned.held_back().for_each(|topic| {
                held_back.add_partition(&self.world.settings.topic(topic), id.partition);
            });
        }
        self.consumer.pause(&held_back)?;
        let ready = positions(&epoch, |_, _| true);
        drop(epoch);
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

    /// Lets tasks read all their inputs that have read what was there in those that come first.
    fn end_bootstraps(&mut self) -> Result<(), StreamsError> {
        let mut epoch = self.consumer.context().epoch();
        let released = self.bootstrap.turn(&mut epoch);
        if !released.is_empty() {
            let start = positions(&epoch, |id, topic| released.contains(&(id, topic.to_string())));
            self.consumer.resume(&start)?;
            self.wake(start);
        }
        Ok(())
    }

    /// Where everything was paused, the client looks for something to fetch once a second. A seek wakes it; one that is
    /// refused finds a partition that wakes it itself, when it is started.
    fn wake(&self, resumed: TopicPartitionList) {
        let _ = self.consumer.seek_partitions(resumed, SEEK_TIMEOUT);
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
            let go_on = positions(&epoch, |id, topic| answered.contains(&(topic.to_string(), id.partition)));
            self.seek_and_resume(&go_on)?;
            epoch.held.retain(|at, _| !answered.contains(at));
        }
        epoch.held.values().for_each(|id| (self.world.resolve)(*id));
        let waiting: BTreeSet<(String, i32)> = epoch.held.keys().cloned().collect();
        if waiting != self.paused {
            self.consumer
                .pause(&positions(&epoch, |id, topic| waiting.contains(&(topic.to_string(), id.partition))))?;
            self.paused = waiting;
        }
        Ok(())
    }

    /// How long a poll may wait if there is nothing to do.
    fn idle_poll(&self) -> Duration {
        match &self.restorer {
            None if self.bootstrap.is_under_way() => RESTORE_POLL,
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
    loop {
        match TransactionalProducer::connect(&world.settings, world.graph.name(), world.thread) {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && !world.wish.to_end() => {
                tracing::warn!(%error, "the transaction coordinator does not answer; trying again");
            }
            other => return other,
        }
    }
}

/// Where there is something to forward, builds what does it.
fn connect_forwarder(world: &World) -> Result<Option<Forwarder>, KafkaError> {
    let mut sub_topologies = world.graph.inputs().filter_map(|input| world.graph.sub_topology(&input.name));
    let forwards = sub_topologies.any(|sub_topology| world.graph.forwards(sub_topology));
    forwards.then(|| Forwarder::connect(&world.settings)).transpose()
}

/// Where the inputs stand that may be read.
fn positions(epoch: &Epoch, includes: impl Fn(TaskId, &str) -> bool) -> TopicPartitionList {
    let mut positions = TopicPartitionList::new();
    for (id, assigned) in &epoch.tasks {
        let open = assigned.inputs().filter(|(topic, _)| assigned.is_open(topic) && includes(*id, topic));
        for (topic, offset) in open {
            let added =
                positions.add_partition_offset(&epoch.settings.topic(topic), id.partition, Offset::Offset(offset));
            added.expect("a position is a plain offset");
        }
    }
    positions
}
