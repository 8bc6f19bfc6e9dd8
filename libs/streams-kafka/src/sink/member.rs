use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use avro_codec::{SchemaId, Status as SchemaStatus};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use rdkafka::{ClientConfig, Message};
use streams::TopicDeclaration;
use tokio::sync::mpsc::error::TrySendError;

use super::callbacks::Callbacks;
use super::figures::Figures;
use super::{Batch, SinkRecord, Start, TopicPartition, World};
use crate::client_log::ClientLog;
use crate::clock::Stopwatch;
use crate::poll::is_final;
use crate::topics::{self, TopicsError};
use crate::{Settings, Status, StreamsError};

/// The thread that is a member of the group: it polls, and never waits for anything else.
pub(super) struct Member {
    world: World,
    consumer: BaseConsumer<Callbacks>,
    /// Topics by their names on the broker.
    topics: HashMap<String, Arc<str>>,
    /// Polled, and not handed on yet.
    records: Vec<SinkRecord>,
    bytes: usize,
    /// What is read: the generation, and the number of its start. None between an assignment and its start.
    reading: Option<Reading>,
    /// Nothing is fetched until what was polled is taken.
    is_paused: bool,
    /// Partitions that wait for a schema: where they go on, and what they wait for.
    held: BTreeMap<TopicPartition, (i64, SchemaId)>,
}

#[derive(Clone, Copy)]
struct Reading {
    generation: u64,
    start: u64,
}

/// Most records of a batch.
const MAX_RECORDS: usize = 1000;
/// A batch is not added to when it has as many bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Longest sleep with nothing to do.
const IDLE_POLL: Duration = Duration::from_millis(100);
/// Between two looks whether something that is waited for has come.
const BUSY_POLL: Duration = Duration::from_millis(5);
/// How long a batch may be waiting to be taken before nothing more is fetched. No change of the group is heard of meanwhile.
const OFFER_PATIENCE: Duration = Duration::from_millis(500);
/// Between two looks whether it can be taken.
const OFFER_INTERVAL: Duration = Duration::from_millis(1);
/// Between two looks for topics that are not there.
const WAIT_INTERVAL: Duration = Duration::from_millis(200);
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);

impl Member {
    /// The whole life of the thread; how it ended is the last status.
    pub(super) fn work(world: World) {
        let status = world.status.clone();
        let ended =
            catch_unwind(AssertUnwindSafe(|| Self::join(world).and_then(|member| member.map_or(Ok(()), Self::run))));
        status.send_replace(match ended {
            // A panic has printed its message.
            Err(_) => Status::Failed("the thread of the sink panicked".to_string()),
            Ok(Err(error)) => Status::Failed(error.to_string()),
            Ok(Ok(())) => Status::Stopped,
        });
    }

    /// Waits for its topics and joins the group; nothing, if it is to stop before.
    fn join(world: World) -> Result<Option<Self>, StreamsError> {
        let declared: Vec<_> = world.topics.iter().map(|topic| world.settings.declaration(topic)).collect();
        while !world.to_stop() {
            match topics::check_declarations(&world.settings, &declared) {
                Ok(()) => return Self::subscribed(world).map(Some),
                Err(TopicsError::Different(what)) => return Err(StreamsError::Configuration(what)),
                Err(waiting) => world.status.send_replace(Status::Waiting(waiting.to_string())),
            };
            thread::sleep(WAIT_INTERVAL);
        }
        Ok(None)
    }

    fn subscribed(world: World) -> Result<Self, StreamsError> {
        let Settings { topic_prefix, .. } = &world.settings;
        let callbacks = Callbacks {
            generation: AtomicU64::new(0),
            assignments: world.assignments.clone(),
            status: world.status.clone(),
            prefix: topic_prefix.clone(),
            figures: world.service.as_ref().map(|service| Figures::of(service, topic_prefix)),
            log: ClientLog::default(),
        };
        let config = match &world.service {
            Some(service) => world.settings.consumer(&group(service), 0),
            None => replaying(&world.settings),
        };
        let consumer: BaseConsumer<Callbacks> = config.create_with_context(callbacks)?;
        let topics: HashMap<String, Arc<str>> =
            world.topics.iter().map(|topic| (world.settings.topic(&topic.name), topic.name.as_str().into())).collect();
        if world.service.is_some() {
            consumer.subscribe(&topics.keys().map(String::as_str).collect::<Vec<_>>())?;
        } else {
            consumer.context().publish(all_partitions(&world.topics));
        }
        Ok(Self {
            world,
            consumer,
            topics,
            records: Vec::new(),
            bytes: 0,
            reading: None,
            is_paused: false,
            held: BTreeMap::new(),
        })
    }

    fn run(mut self) -> Result<(), StreamsError> {
        while !self.world.to_stop() {
            self.poll()?;
            self.begin()?;
            self.hand_on()?;
            self.await_schemas()?;
        }
        Ok(())
    }

    /// Polls until there is nothing more, or enough.
    fn poll(&mut self) -> Result<(), StreamsError> {
        let is_waited_for = self.is_paused || !self.held.is_empty() || self.reading.is_none();
        let mut patience = if is_waited_for { BUSY_POLL } else { IDLE_POLL };
        while self.records.len() < MAX_RECORDS && self.bytes < MAX_BYTES || self.is_paused {
            let polled = self.consumer.poll(patience);
            let generation = self.consumer.context().generation();
            let is_current = self.reading.is_some_and(|reading| reading.generation == generation);
            let is_drained = polled.is_none();
            match polled {
                Some(Ok(message)) if is_current => {
                    if let Some(record) = Self::take(&self.world, &self.topics, &mut self.held, &message) {
                        self.bytes += message.payload_len();
                        self.records.push(record);
                    }
                }
                Some(Err(error)) if is_final(&error) => return Err(ended(&error)),
                Some(Err(error)) => self.consumer.context().log.error(&error, "while polling"),
                // Nothing, or what was fetched before its partition went away.
                _ => {}
            }
            if !is_current {
                self.forget();
            }
            if is_drained {
                break;
            }
            patience = Duration::ZERO;
        }
        Ok(())
    }

    /// A record, unless its partition waits for a schema.
    fn take(
        world: &World,
        topics: &HashMap<String, Arc<str>>,
        held: &mut BTreeMap<TopicPartition, (i64, SchemaId)>,
        message: &BorrowedMessage<'_>,
    ) -> Option<SinkRecord> {
        let topic = topics.get(message.topic())?.clone();
        let record = SinkRecord::new(topic, message, &world.schemas, &world.spans);
        if held.contains_key(record.source()) {
            return None;
        }
        match message.payload().map(|bytes| world.schemas.status(bytes)) {
            Some(SchemaStatus::Unresolved(id)) => {
                (world.resolve)(id);
                held.insert(record.source().clone(), (message.offset(), id));
                None
            }
            _ => Some(record),
        }
    }

    /// Begins to read where the sink says, if that is about the partitions of now.
    fn begin(&mut self) -> Result<(), StreamsError> {
        while let Ok(Start { number: start, generation, positions }) = self.world.starts.try_recv() {
            if generation == 0 || generation != self.consumer.context().generation() {
                continue;
            }
            let mut list = TopicPartitionList::new();
            for partition in self.world.assignments.borrow().partitions.iter() {
                let offset = positions.get(partition).map_or(Offset::Beginning, |next| Offset::Offset(*next));
                list.add_partition_offset(&self.on_broker(partition), partition.partition, offset)?;
            }
            self.forget();
            self.consumer.assign(&list)?;
            // A partition that was paused before it was assigned anew still is.
            self.consumer.resume(&list)?;
            self.reading = Some(Reading { generation, start });
        }
        Ok(())
    }

    /// Hands on what was polled. If nobody takes it for a while, nothing more is fetched; the polling goes on, since it is
    /// what keeps the place in the group. Who is in no group just waits.
    fn hand_on(&mut self) -> Result<(), StreamsError> {
        let Some(Reading { start, .. }) = self.reading.filter(|_| !self.records.is_empty()) else { return Ok(()) };
        let batch = Batch { start, records: std::mem::take(&mut self.records) };
        // What is offered again was counted when it was offered first.
        if let Some(figures) = self.consumer.context().figures.as_ref().filter(|_| !self.is_paused) {
            figures.handed_on(&batch.records);
        }
        if self.world.service.is_none() {
            self.bytes = 0;
            // If nobody will take it, the sink was dropped, and says so in a moment.
            let _ = self.world.batches.blocking_send(batch);
            return Ok(());
        }
        match self.offer(batch) {
            Ok(()) => {
                self.bytes = 0;
                if std::mem::take(&mut self.is_paused) {
                    self.consumer.resume(&self.consumer.assignment()?)?;
                    self.pause_held()?;
                }
            }
            Err(TrySendError::Full(batch)) => {
                self.records = batch.records;
                if !std::mem::replace(&mut self.is_paused, true) {
                    self.consumer.pause(&self.consumer.assignment()?)?;
                }
            }
            // The sink was dropped, and says so in a moment.
            Err(TrySendError::Closed(_)) => {}
        }
        Ok(())
    }

    /// Waits a little before it gives up: a partition that is paused loses what was fetched ahead of it, and is fetched
    /// again with a delay.
    fn offer(&self, batch: Batch) -> Result<(), TrySendError<Batch>> {
        let mut refused = self.world.batches.try_send(batch);
        let waiting = Stopwatch::start();
        while let Err(TrySendError::Full(batch)) = refused {
            if self.is_paused || waiting.elapsed() >= OFFER_PATIENCE || self.world.to_stop() {
                return Err(TrySendError::Full(batch));
            }
            thread::sleep(OFFER_INTERVAL);
            refused = self.world.batches.try_send(batch);
        }
        refused
    }

    /// Goes on with the partitions whose schema is known by now.
    fn await_schemas(&mut self) -> Result<(), StreamsError> {
        self.pause_held()?;
        self.held.values().for_each(|(_, id)| (self.world.resolve)(*id));
        let is_known =
            |(_, id): &(i64, SchemaId)| !matches!(self.world.schemas.status_of(*id), SchemaStatus::Unresolved(_));
        let known: Vec<_> = self
            .held
            .iter()
            .filter(|(_, waiting)| is_known(waiting))
            .map(|(at, (from, _))| (at.clone(), *from))
            .collect();
        for (partition, from) in known {
            self.held.remove(&partition);
            let mut list = TopicPartitionList::new();
            let name = self.on_broker(&partition);
            list.add_partition_offset(&name, partition.partition, Offset::Offset(from))?;
            // A partition that cannot be moved would silently skip records.
            let moved = self.consumer.seek_partitions(list.clone(), SEEK_TIMEOUT)?;
            moved.elements().iter().try_for_each(TopicPartitionListElem::error)?;
            if !self.is_paused {
                self.consumer.resume(&list)?;
            }
        }
        Ok(())
    }

    fn pause_held(&self) -> Result<(), StreamsError> {
        if self.held.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for partition in self.held.keys() {
            list.add_partition(&self.on_broker(partition), partition.partition);
        }
        Ok(self.consumer.pause(&list)?)
    }

    /// What was read of partitions that have gone is of no use.
    fn forget(&mut self) {
        self.records.clear();
        self.bytes = 0;
        self.held.clear();
        self.is_paused = false;
        self.reading = None;
    }

    fn on_broker(&self, partition: &TopicPartition) -> String {
        self.world.settings.topic(&partition.topic)
    }
}

/// Reads much and at length: answers are full, and nothing else is asked on the connection.
fn replaying(settings: &Settings) -> ClientConfig {
    let mut config = settings.reader("read_committed");
    config
        .set("enable.partition.eof", "false")
        // What is not in the log where it was expected must not be passed over.
        .set("auto.offset.reset", "error")
        .set("statistics.interval.ms", "0")
        .set("fetch.wait.max.ms", "100")
        .set("queued.max.messages.kbytes", "32768");
    config
}

/// Nothing is ever committed to it.
pub(super) fn group(service: &str) -> String {
    format!("{service}-sink")
}

fn all_partitions(topics: &[TopicDeclaration]) -> Vec<TopicPartition> {
    let of = |topic: &TopicDeclaration| {
        let name: Arc<str> = topic.name.as_str().into();
        (0..topic.partitions).map(move |partition| TopicPartition { topic: name.clone(), partition })
    };
    topics.iter().flat_map(of).collect()
}

fn ended(error: &KafkaError) -> StreamsError {
    match error {
        KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset) => StreamsError::Configuration(
            "a position that the sink has kept is not in the log (records were deleted before they were read, or the topic \
             was created anew): decide where to go on, and set the position where the sink keeps it"
                .to_string(),
        ),
        error => StreamsError::denied(error),
    }
}
