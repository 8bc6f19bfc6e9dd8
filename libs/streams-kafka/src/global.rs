use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use avro_codec::{SchemaId, Status as SchemaStatus};
use opentelemetry::KeyValue;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use streams::{GlobalTables, Graph};

use crate::bootstrap::behind_last_record;
use crate::client_log::ClientLog;
use crate::clock::Stopwatch;
use crate::metrics::Metrics;
use crate::world::World;
use crate::{Status, StreamsError};

/// The global tables of the process, and whether they hold what was in their topics when it started.
#[derive(Debug)]
pub(crate) struct Globals {
    pub(crate) tables: Arc<GlobalTables>,
    is_restored: AtomicBool,
}

/// Reads the topics of the global tables: one consumer for the process, which belongs to no group and has all partitions.
struct Reader<'w> {
    world: &'w World,
    metrics: Metrics,
    /// What is still to be read before tasks may work.
    restoring: BTreeMap<Partition, Span>,
    since_progress: Stopwatch,
    since_report: Option<Stopwatch>,
    /// Partitions that wait for a schema: where they go on, and what they wait for.
    held: BTreeMap<Partition, (i64, SchemaId)>,
}

/// Topic, as the broker knows it, and number.
type Partition = (String, i32);

/// A part of a partition: from the offset of the next record to that behind the last one.
#[derive(Clone, Copy)]
struct Span {
    next: i64,
    end: i64,
}

/// Longest sleep of the reader, which then looks whether it is to end.
const IDLE_POLL: Duration = Duration::from_millis(100);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two attempts to ask a broker that does not answer.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);
/// After so long without a record it is asked again what there is: retention may have deleted what was waited for.
const STALL: Duration = Duration::from_secs(5);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

impl Globals {
    pub(crate) fn new(graph: Arc<Graph>) -> Self {
        let is_restored = AtomicBool::new(graph.global_topics().next().is_none());
        Self { tables: Arc::new(GlobalTables::new(graph)), is_restored }
    }

    /// Whether tasks may work.
    pub(crate) fn are_restored(&self) -> bool {
        self.is_restored.load(Ordering::Acquire)
    }
}

/// Keeps the global tables until the process is asked to end. Their topics must be there.
pub(crate) fn follow(world: &World) -> Result<(), StreamsError> {
    let mut reader = Reader {
        world,
        metrics: Metrics::new(world.graph.name()),
        restoring: BTreeMap::new(),
        since_progress: Stopwatch::start(),
        since_report: None,
        held: BTreeMap::new(),
    };
    reader.restoring = reader.await_spans();
    let consumer: BaseConsumer<ClientLog> = world
        .settings
        .reader("read_committed")
        // What was read is in the tables at once; a deep queue and quick questions would be paid for in idleness.
        .set("fetch.wait.max.ms", "500")
        .set("queued.max.messages.kbytes", "2048")
        .set("enable.partition.eof", "false")
        .create_with_context(ClientLog::default())?;
    let mut all = TopicPartitionList::new();
    for (topic, partition) in reader.partitions() {
        all.add_partition_offset(&topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&all)?;
    while !world.wish.to_end() {
        match consumer.poll(IDLE_POLL) {
            Some(Ok(message)) => reader.take_in(&consumer, &message)?,
            Some(Err(error)) => heed(&error)?,
            None => {}
        }
        reader.await_schemas(&consumer)?;
        reader.look_after_restoring();
    }
    Ok(())
}

impl Reader<'_> {
    /// All partitions of all the topics.
    fn partitions(&self) -> Vec<Partition> {
        let topics = self.world.graph.global_topics();
        let of = |topic: &streams::TopicDeclaration| {
            let name = self.world.settings.topic(&topic.name);
            (0..topic.partitions).map(move |partition| (name.clone(), partition)).collect::<Vec<_>>()
        };
        topics.flat_map(of).collect()
    }

    /// Finds out what there is to be read first, however long the broker is away.
    fn await_spans(&self) -> BTreeMap<Partition, Span> {
        while !self.world.wish.to_end() {
            match self.spans() {
                Ok(spans) => return spans,
                Err(error) => {
                    let why = format!("the broker to say what there is of the global tables ({error})");
                    self.world.status.set(Status::Waiting(why));
                    thread::sleep(RETRY_INTERVAL);
                }
            }
        }
        BTreeMap::new()
    }

    /// What there is of each partition that is not empty. Asked on a connection of its own, where no question waits behind
    /// a fetch.
    fn spans(&self) -> Result<BTreeMap<Partition, Span>, KafkaError> {
        let reader = self.world.settings.reader("read_committed");
        let client: BaseConsumer<ClientLog> = reader.create_with_context(ClientLog::default())?;
        let mut spans = BTreeMap::new();
        for (topic, partition) in self.partitions() {
            let (next, _) = client.fetch_watermarks(&topic, partition, CALL_TIMEOUT)?;
            let end = behind_last_record(&client, &topic, partition)?;
            if end > next {
                spans.insert((topic, partition), Span { next, end });
            }
        }
        Ok(spans)
    }

    /// Takes a record into its table. One that cannot be read is left out, with a warning; one whose schema is not known
    /// yet lets its partition wait.
    fn take_in(
        &mut self,
        consumer: &BaseConsumer<ClientLog>,
        message: &BorrowedMessage<'_>,
    ) -> Result<(), StreamsError> {
        let World { settings, schemas, globals, .. } = self.world;
        let partition = (message.topic().to_string(), message.partition());
        if self.held.contains_key(&partition) {
            return Ok(());
        }
        if let Some(SchemaStatus::Unresolved(id)) = message.payload().map(|bytes| schemas.status(bytes)) {
            consumer.pause(&places([(&partition, message.offset())])?)?;
            self.held.insert(partition, (message.offset(), id));
            return Ok(());
        }
        let table = message.topic().strip_prefix(&*settings.topic_prefix).unwrap_or(message.topic());
        if let Err(refusal) = globals.tables.update(schemas, table, message.key(), message.payload()) {
            tracing::warn!(
                table,
                partition = message.partition(),
                offset = message.offset(),
                %refusal,
                "a global table leaves a record out, and keeps what it has for the key"
            );
            let labels = [self.metrics.labels[0].clone(), KeyValue::new("cause", refusal.kind())];
            self.metrics.global_records_refused.add(1, &labels);
        }
        if let Some(span) = self.restoring.get_mut(&partition) {
            span.next = message.offset() + 1;
            if span.next >= span.end {
                self.restoring.remove(&partition);
            }
            self.since_progress = Stopwatch::start();
            self.metrics.restored_records.add(1, &self.metrics.labels);
        }
        Ok(())
    }

    /// Lets partitions go on whose schema the registry has answered for, and asks for the others.
    fn await_schemas(&mut self, consumer: &BaseConsumer<ClientLog>) -> Result<(), StreamsError> {
        let schemas = &self.world.schemas;
        let is_answered = |id: SchemaId| !matches!(schemas.status_of(id), SchemaStatus::Unresolved(_));
        let answered = self.held.iter().filter(|(_, (_, id))| is_answered(*id));
        let go_on = places(answered.map(|(partition, (offset, _))| (partition, *offset)))?;
        if go_on.count() > 0 {
            let moved = consumer.seek_partitions(go_on.clone(), CALL_TIMEOUT)?;
            moved.elements().iter().try_for_each(|element| element.error())?;
            consumer.resume(&go_on)?;
            self.held.retain(|_, (_, id)| !is_answered(*id));
        }
        self.held.values().for_each(|(_, id)| (self.world.resolve)(*id));
        Ok(())
    }

    /// Says what is still to be read of what was there at the start, and lets the tasks work when that is nothing.
    fn look_after_restoring(&mut self) {
        let World { globals, status, .. } = self.world;
        if globals.are_restored() {
            return;
        }
        if self.restoring.is_empty() {
            self.metrics.restoring(self.world.thread, 0, 0);
            globals.is_restored.store(true, Ordering::Release);
            status.set(Status::Running);
        } else if self.since_report.is_none_or(|since| since.elapsed() >= REPORT_INTERVAL) {
            self.since_report = Some(Stopwatch::start());
            let left: i64 = self.restoring.values().map(|span| span.end - span.next).sum();
            let waiting = self.held.values().next().map(|(_, id)| format!(", waiting for schema {id}"));
            let remaining = u64::try_from(left).unwrap_or_default();
            self.metrics.restoring(self.world.thread, remaining, self.restoring.len());
            status
                .set(Status::Restoring(format!("{left} records of global tables left{}", waiting.unwrap_or_default())));
        }
        if self.held.is_empty() && self.since_progress.elapsed() > STALL {
            let there = self.await_spans();
            self.restoring.retain(|partition, span| there.get(partition).is_some_and(|there| there.end > span.next));
            self.since_progress = Stopwatch::start();
        }
    }
}

fn places<'p>(partitions: impl IntoIterator<Item = (&'p Partition, i64)>) -> Result<TopicPartitionList, KafkaError> {
    let mut places = TopicPartitionList::new();
    for ((topic, partition), offset) in partitions {
        places.add_partition_offset(topic, *partition, Offset::Offset(offset))?;
    }
    Ok(places)
}

/// Most errors are news of connections that the client mends.
fn heed(error: &KafkaError) -> Result<(), StreamsError> {
    match error {
        KafkaError::MessageConsumptionFatal(_)
        | KafkaError::MessageConsumption(
            RDKafkaErrorCode::BadCompression
            | RDKafkaErrorCode::BadMessage
            | RDKafkaErrorCode::NotImplemented
            | RDKafkaErrorCode::TopicAuthorizationFailed,
        ) => Err(StreamsError::denied(error)),
        _ => Ok(()),
    }
}
