use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use streams::{StoreError, Task, TaskId};

use crate::assigned::Assigned;
use crate::client_log::ClientLog;
use crate::clock::wall_clock;
use crate::epoch::Epoch;
use crate::forward::PositionMetadata;
use crate::metrics::{Lag, Lags, lag};
use crate::producer::Failure;
use crate::stores::{Stores, Suspended};

/// A stream thread as a member of its group: takes tasks when partitions are assigned, gives them back when they are
/// revoked. The callbacks run inside the thread's own `poll`.
pub(crate) struct Membership {
    epoch: Mutex<Epoch>,
    stores: Stores,
    suspended: Arc<Suspended>,
    thread: usize,
    /// Grows with every assignment: records polled before it are not to be processed after it.
    generation: AtomicU64,
    fetched_to: Mutex<HashMap<(String, i32), i64>>,
    lags: Lags,
    reports: AtomicU64,
    trouble: Mutex<Option<Failure>>,
    /// Tasks of which only some inputs were assigned.
    incomplete: Mutex<BTreeSet<TaskId>>,
    log: ClientLog,
}

const CALL_TIMEOUT: Duration = Duration::from_secs(10);

impl Membership {
    /// The stream thread number `thread` of its process.
    pub(crate) fn new(epoch: Epoch, stores: Stores, suspended: Arc<Suspended>, thread: usize) -> Self {
        Self {
            lags: Lags::observed(epoch.graph.name()),
            epoch: Mutex::new(epoch),
            stores,
            suspended,
            thread,
            generation: AtomicU64::new(0),
            fetched_to: Mutex::default(),
            reports: AtomicU64::new(0),
            trouble: Mutex::default(),
            incomplete: Mutex::default(),
            log: ClientLog::default(),
        }
    }

    /// The epoch. Never held across a `poll`.
    pub(crate) fn epoch(&self) -> MutexGuard<'_, Epoch> {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many assignments there were.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// How far the client has read a partition: the offset behind the last record or transaction marker, if it came to
    /// an end there.
    pub(crate) fn fetched_to(&self, topic: &str, partition: i32) -> Option<i64> {
        self.fetched().get(&(topic.to_string(), partition)).copied()
    }

    /// Forgets how far anything was fetched.
    pub(crate) fn forget_fetched(&self) {
        self.fetched().clear();
    }

    /// How often the client has said how far it is. Such a message comes before the records that are waiting.
    pub(crate) fn reports(&self) -> u64 {
        self.reports.load(Ordering::Acquire)
    }

    /// Tasks of which only some inputs were assigned, and which therefore are not worked on.
    pub(crate) fn incomplete(&self) -> BTreeSet<TaskId> {
        self.incomplete.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says what the client reports of its connections.
    pub(crate) fn report(&self, error: &KafkaError) {
        self.log.error(error, "while polling");
    }

    /// What went wrong inside a callback.
    pub(crate) fn take_trouble(&self) -> Option<Failure> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fetched(&self) -> MutexGuard<'_, HashMap<(String, i32), i64>> {
        self.fetched_to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the tasks of the partitions. Blocks the poll it runs in until the broker has said what was committed.
    ///
    /// A task is taken whole or not at all: where instances read different topics, another one may have the rest of its
    /// inputs, and two would write to one store.
    fn assign(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) -> Result<(), Failure> {
        self.forget_fetched();
        let mut epoch = self.epoch();
        let rejoin = |error: KafkaError| Failure::Rejoin(error);
        let committed = match consumer.committed_offsets(partitions.clone(), CALL_TIMEOUT) {
            Ok(committed) => committed,
            Err(_) => consumer.committed_offsets(partitions.clone(), CALL_TIMEOUT).map_err(rejoin)?,
        };
        let mut start = TopicPartitionList::new();
        let mut incomplete = BTreeSet::new();
        for element in committed.elements() {
            element.error().map_err(rejoin)?;
            let (name, partition) = (element.topic(), element.partition());
            let topic = name.strip_prefix(&*epoch.settings.topic_prefix).unwrap_or(name);
            let Some(sub_topology) = epoch.graph.sub_topology(topic) else { continue };
            let id = TaskId { sub_topology, partition };
            if !is_whole(&epoch, partitions, id) {
                incomplete.insert(id);
                continue;
            }
            let offset = match element.offset() {
                Offset::Offset(offset) => offset,
                _ => consumer.fetch_watermarks(name, partition, CALL_TIMEOUT).map_err(rejoin)?.0,
            };
            start.add_partition_offset(name, partition, Offset::Offset(offset)).map_err(rejoin)?;
            if !epoch.tasks.contains_key(&id) {
                let task = self.task(&epoch, id).map_err(Failure::Broken)?;
                epoch.tasks.insert(id, task);
            }
            let (is_held_back, forwards) = (epoch.graph.is_held_back(topic), epoch.graph.forwards(sub_topology));
            let Some(assigned) = epoch.tasks.get_mut(&id) else { continue };
            if is_held_back {
                assigned.hold_back(topic);
            }
            if matches!(element.offset(), Offset::Offset(_)) {
                let metadata = PositionMetadata::parse(element.metadata());
                let incarnation = metadata.incarnation.filter(|_| forwards);
                assigned.resume_at(topic, offset, PositionMetadata { incarnation, ..metadata });
            } else {
                assigned.begin_at(topic, offset);
            }
            if forwards {
                assigned.incarnate(topic, wall_clock());
            }
        }
        consumer.assign(&start).map_err(rejoin)?;
        // Nothing is read before the stores are restored.
        consumer.pause(&start).map_err(rejoin)?;
        epoch.group = consumer.group_metadata();
        *self.incomplete.lock().unwrap_or_else(PoisonError::into_inner) = incomplete;
        self.generation.fetch_add(1, Ordering::Release);
        tracing::info!(thread = self.thread, partitions = start.count(), "partitions assigned");
        Ok(())
    }

    /// A task as it was when it was suspended, or with what local state there is.
    fn task(&self, epoch: &Epoch, id: TaskId) -> Result<Assigned, StoreError> {
        if let Some(suspended) = self.suspended.take(id) {
            return Ok(Assigned::new(suspended.task, suspended.is_restored));
        }
        let stores = self.stores.open(&epoch.settings, &epoch.graph, id)?;
        let task = Task::with_stores(epoch.graph.clone(), epoch.schemas.clone(), id, stores);
        Ok(Assigned::new(task.with_global_tables(self.stores.globals.clone()), false))
    }

    /// Commits what was done for the partitions before they are somebody else's; if they already are, there is nothing
    /// left to do but to abort.
    fn revoke(&self, consumer: &BaseConsumer<Self>) -> Result<(), Failure> {
        let mut epoch = self.epoch();
        // A thread that unwinds leaves in the middle of something.
        let is_lost = consumer.assignment_lost() || thread::panicking();
        let ended = if is_lost { epoch.abort() } else { epoch.commit() };
        if ended.is_err() {
            epoch.forget();
        }
        self.suspended.close(self.thread);
        epoch.withdraw_all(|assigned| {
            // What was lost may have been lost long ago: it is not to be trusted without asking.
            if is_lost {
                return;
            }
            let touched = if assigned.is_ready() { assigned.touch_stores() } else { Ok(()) };
            match touched {
                Ok(()) => self.suspended.put(self.thread, assigned),
                Err(error) => tracing::error!(%error, "a store cannot be kept"),
            }
        });
        epoch.group = None;
        self.lags.replace(Vec::new());
        self.generation.fetch_add(1, Ordering::Release);
        tracing::info!(thread = self.thread, is_lost, "partitions revoked");
        consumer.unassign().map_err(Failure::Rejoin)?;
        ended
    }
}

/// How far behind the inputs of all tasks are.
fn lags(epoch: &Epoch, statistics: &Statistics) -> Vec<Lag> {
    let mut lags = Vec::new();
    for (id, assigned) in &epoch.tasks {
        for (topic, next) in assigned.inputs() {
            let told = statistics.topics.get(&epoch.settings.topic(topic));
            let told = told.and_then(|told| told.partitions.get(&id.partition));
            if let Some(records) = told.and_then(|partition| lag(next, partition)) {
                lags.push(Lag { topic: topic.to_string(), partition: id.partition, records });
            }
        }
    }
    lags
}

/// Whether all inputs of a task are among the partitions.
fn is_whole(epoch: &Epoch, partitions: &TopicPartitionList, id: TaskId) -> bool {
    let mut inputs =
        epoch.graph.inputs().filter(|input| epoch.graph.sub_topology(&input.name) == Some(id.sub_topology));
    inputs.all(|input| partitions.find_partition(&epoch.settings.topic(&input.name), id.partition).is_some())
}

impl ClientContext for Membership {
    fn stats(&self, statistics: Statistics) {
        self.reports.fetch_add(1, Ordering::AcqRel);
        // It is held only where partitions come and go, and these are told of anew in a moment.
        if let Ok(epoch) = self.epoch.try_lock() {
            self.lags.replace(lags(&epoch, &statistics));
        }
        let mut fetched_to = self.fetched();
        for topic in statistics.topics.into_values() {
            for partition in topic.partitions.into_values().filter(|partition| partition.eof_offset >= 0) {
                fetched_to.insert((topic.topic.clone(), partition.partition), partition.eof_offset);
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
    }
}

impl ConsumerContext for Membership {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let done = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let assigned = self.assign(consumer, partitions);
                assigned.inspect_err(|_| {
                    // A client that is told neither yes nor no can never be closed.
                    let _ = consumer.unassign();
                })
            }
            _ => self.revoke(consumer),
        };
        if let Err(failure) = done {
            self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        }
    }
}
