use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use avro_codec::{SchemaId, Schemas, Status as SchemaStatus};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use streams::{Change, Checkpoint, Graph, MAX_KEY_BYTES, StateStore, TaskId};

use crate::clock::Stopwatch;
use crate::{Settings, StreamsError};

/// Reads stores back from their changelogs, a share at a time, a slice per turn of the thread, from where the share's
/// checkpoint says on.
///
/// The end to reach is the end of the log as a read_uncommitted client sees it; the share is read when a read_committed
/// client can see as far, which is when every transaction that was open there has ended.
pub(crate) struct Restorer {
    settings: Settings,
    schemas: Schemas,
    committed: BaseConsumer<DefaultConsumerContext>,
    uncommitted: BaseConsumer<DefaultConsumerContext>,
    jobs: VecDeque<Job>,
    stage: Stage,
    /// Ids in restored values that are not known yet.
    unresolved: BTreeSet<SchemaId>,
    /// The last one that is known; most values have the same.
    known: Option<SchemaId>,
    /// How many records were read since that was asked last.
    read: u64,
    since_report: Stopwatch,
    /// Since a broker did not answer.
    since_trouble: Option<Stopwatch>,
}

/// One share of one store.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) task: TaskId,
    pub(crate) topic: String,
    pub(crate) share: Arc<dyn StateStore>,
    /// Where to stop, if not at the end of the log: a table's topic is read on as an input from there.
    pub(crate) until: Option<i64>,
    pub(crate) graph: Arc<Graph>,
    /// How many records were read, whatever interrupted it in between.
    pub(crate) records: u64,
}

/// What a turn has brought.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn {
    /// Nothing: the broker has to be waited for.
    Waiting,
    /// There is more to be had at once.
    Progress,
    /// A share is complete.
    Complete(Restored),
}

/// What became of a share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restored {
    pub(crate) task: TaskId,
    /// How many records were read.
    pub(crate) records: u64,
    /// The share was ever written to.
    pub(crate) has_state: bool,
    /// It was the last share of its task.
    pub(crate) completes_task: bool,
}

#[derive(Clone, Copy)]
enum Stage {
    Idle,
    /// The read_committed end is not yet as far as the end of the log was.
    Behind {
        span: Span,
        has_state: bool,
    },
    Reading {
        span: Span,
    },
}

/// The part of a changelog that a share lacks.
#[derive(Clone, Copy, Debug)]
struct Span {
    begin: i64,
    end: i64,
    /// Of the record before it, and of those that were read.
    timestamp: i64,
}

/// The thread waits for an answer, and with it all its tasks.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
const RECORDS_PER_TURN: usize = 10_000;
/// How long a turn waits for the first of its records.
const FIRST_RECORD_TIMEOUT: Duration = Duration::from_millis(5);
/// Between a question that was not answered and the next.
const TROUBLE_INTERVAL: Duration = Duration::from_millis(500);
/// Between two words in the log about a restore that takes long.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

impl Restorer {
    pub(crate) fn new(settings: &Settings, schemas: &Schemas, jobs: Vec<Job>) -> Result<Self, KafkaError> {
        Ok(Self {
            settings: settings.clone(),
            schemas: schemas.clone(),
            committed: settings.reader("read_committed").create()?,
            uncommitted: settings.reader("read_uncommitted").create()?,
            jobs: jobs.into(),
            stage: Stage::Idle,
            unresolved: BTreeSet::new(),
            known: None,
            read: 0,
            since_report: Stopwatch::start(),
            since_trouble: None,
        })
    }

    /// Goes on for a while. A share whose broker does not answer is tried again after the others.
    pub(crate) fn turn(&mut self) -> Result<Turn, StreamsError> {
        if self.since_trouble.as_ref().is_some_and(|since| since.elapsed() < TROUBLE_INTERVAL) {
            return Ok(Turn::Waiting);
        }
        self.since_trouble = None;
        match self.step() {
            Err(StreamsError::Kafka(error)) => {
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) {
                    return Err(StreamsError::denied(&error));
                }
                tracing::warn!(%error, "a changelog cannot be read at the moment: {}", self.remaining());
                self.postpone();
                self.since_trouble = Some(Stopwatch::start());
                Ok(Turn::Waiting)
            }
            other => other,
        }
    }

    fn step(&mut self) -> Result<Turn, StreamsError> {
        let Some(job) = self.jobs.front().cloned() else { return Ok(Turn::Waiting) };
        let topic = self.settings.topic(&job.topic);
        let partition = job.task.partition;
        match self.stage {
            Stage::Idle => {
                let (low, end) = self.uncommitted.fetch_watermarks(&topic, partition, CALL_TIMEOUT)?;
                let end = job.until.map_or(end, |until| until.min(end));
                let (span, has_state) = self.span(&job, &topic, low, end)?;
                if span.end <= span.begin {
                    return Ok(self.finish(has_state));
                }
                self.stage = Stage::Behind { span, has_state };
                Ok(Turn::Progress)
            }
            Stage::Behind { span, has_state } => {
                let (_, visible) = self.committed.fetch_watermarks(&topic, partition, CALL_TIMEOUT)?;
                if visible < span.end {
                    // Whoever is in the middle of a transaction there does not hold up the other shares.
                    self.postpone();
                    return Ok(Turn::Waiting);
                }
                if has_state && job.is_marker(span) {
                    if visible > span.end {
                        // What looked like a marker may be a record, whose own marker was not there yet.
                        self.stage = Stage::Idle;
                        return Ok(Turn::Progress);
                    }
                    self.advance(&job, Vec::new(), Span { begin: span.end, ..span })?;
                    return Ok(self.finish(true));
                }
                let mut start = TopicPartitionList::new();
                start.add_partition_offset(&topic, partition, Offset::Offset(span.begin))?;
                self.committed.assign(&start)?;
                self.stage = Stage::Reading { span };
                Ok(Turn::Progress)
            }
            Stage::Reading { span } => {
                let (entries, span, is_complete) = self.read(&job, span)?;
                let is_stalled = entries.is_empty();
                let records = job.records + entries.len() as u64;
                self.read += entries.len() as u64;
                self.jobs.iter_mut().take(1).for_each(|job| job.records = records);
                let has_state = records > 0 || job.share.checkpoint().is_some();
                if has_state {
                    self.advance(&job, entries, if is_complete { Span { begin: span.end, ..span } } else { span })?;
                }
                if is_complete {
                    return Ok(self.finish(has_state));
                }
                self.report(&job, span, records);
                self.stage = Stage::Reading { span };
                Ok(if is_stalled { Turn::Waiting } else { Turn::Progress })
            }
        }
    }

    fn postpone(&mut self) {
        self.jobs.rotate_left(1);
        self.stage = Stage::Idle;
    }

    /// What is left to do.
    pub(crate) fn remaining(&self) -> String {
        let now = self.jobs.front().map(|job| format!(", now {} partition {}", job.topic, job.task.partition));
        format!("{} shares of stores left{}", self.jobs.len(), now.unwrap_or_default())
    }

    /// Offsets of the share at work that are still to be read.
    pub(crate) fn remaining_records(&self) -> u64 {
        match self.stage {
            Stage::Idle => 0,
            Stage::Behind { span, .. } | Stage::Reading { span } => {
                u64::try_from(span.end - span.begin).unwrap_or_default()
            }
        }
    }

    /// Shares that are not complete.
    pub(crate) fn remaining_shares(&self) -> usize {
        self.jobs.len()
    }

    /// How many records were read since this was asked last.
    pub(crate) fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read)
    }

    /// Whether records are coming in.
    pub(crate) fn is_reading(&self) -> bool {
        matches!(self.stage, Stage::Reading { .. })
    }

    /// Whether every share is complete.
    pub(crate) fn is_complete(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The schema ids in restored values that are still to be resolved.
    pub(crate) fn unresolved(&mut self) -> &BTreeSet<SchemaId> {
        self.unresolved.retain(|id| matches!(self.schemas.status_of(*id), SchemaStatus::Unresolved(_)));
        &self.unresolved
    }

    /// What the share lacks, and whether it holds anything. A share that is not what the changelog says is emptied, and
    /// lacks everything.
    fn span(&mut self, job: &Job, topic: &str, low: i64, end: i64) -> Result<(Span, bool), StreamsError> {
        // Compaction does not move the beginning of a log. Somebody has deleted records, and state with them.
        let is_truncated = job.until.is_none() && low > 0;
        let whole = || {
            let everything = Span { begin: low, end, timestamp: 0 };
            if is_truncated { Err(truncated(topic, job.task, low)) } else { Ok((everything, false)) }
        };
        let Some(checkpoint) = job.share.checkpoint() else { return whole() };
        self.unresolved.extend(job.share.schema_ids());
        let begin = checkpoint.offset;
        let is_complete = begin == end || job.is_marker(Span { begin, end, timestamp: 0 });
        let unfit = if begin > end {
            let what = if job.until.is_some() { "the committed position of the group" } else { "the end of the log" };
            Some(format!("it was at offset {begin} of {topic}, {what} is {end}"))
        } else if begin < low && !is_complete {
            Some(format!("it was at offset {begin} of {topic}, and what is before {low} was deleted"))
        } else if job.until.is_none() {
            let is_younger = self.has_younger(topic, job.task.partition, checkpoint)?;
            is_younger.then(|| format!("{topic} is another topic than it was"))
        } else {
            None
        };
        match unfit {
            None => Ok((Span { begin, end, timestamp: checkpoint.timestamp }, true)),
            Some(why) => {
                tracing::warn!(task = %job.task, "local state is restored in full: {why}");
                // What is on disk stays if it cannot be restored.
                let whole = whole()?;
                job.share.clear()?;
                Ok(whole)
            }
        }
    }

    /// Whether a record before the checkpoint is younger than all that the share holds. Behind the checkpoint all are; in
    /// a topic that was created anew, those before it are, too.
    fn has_younger(&self, topic: &str, partition: i32, checkpoint: Checkpoint) -> Result<bool, KafkaError> {
        let at = |offset| {
            let mut place = TopicPartitionList::new();
            place.add_partition_offset(topic, partition, Offset::Offset(offset)).map(|()| place)
        };
        let answer = self.uncommitted.offsets_for_times(at(checkpoint.timestamp + 1)?, CALL_TIMEOUT)?;
        let Some(Offset::Offset(younger)) = answer.find_partition(topic, partition).map(|found| found.offset()) else {
            return Ok(false);
        };
        if younger >= checkpoint.offset {
            return Ok(false);
        }
        // It may be a transaction's marker, written a moment after its records; a reader is not shown those.
        self.uncommitted.assign(&at(younger)?)?;
        let start = Stopwatch::start();
        let found = loop {
            match self.uncommitted.poll(FIRST_RECORD_TIMEOUT) {
                Some(Ok(message)) if message.offset() >= checkpoint.offset => break Ok(false),
                Some(Ok(message)) if message.timestamp().to_millis() > Some(checkpoint.timestamp) => break Ok(true),
                Some(Err(KafkaError::PartitionEOF(_))) => break Ok(false),
                Some(Err(error)) if start.elapsed() > CALL_TIMEOUT => break Err(error),
                _ if start.elapsed() > CALL_TIMEOUT => {
                    break Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut));
                }
                _ => {}
            }
        };
        self.uncommitted.unassign()?;
        found
    }

    /// Reads a slice: its entries, what is lacking then, and whether that is nothing.
    fn read(&mut self, job: &Job, mut span: Span) -> Result<(Vec<Change>, Span, bool), KafkaError> {
        let mut entries: Vec<Change> = Vec::with_capacity(RECORDS_PER_TURN);
        while entries.len() < RECORDS_PER_TURN {
            let patience = if entries.is_empty() { FIRST_RECORD_TIMEOUT } else { Duration::ZERO };
            let message = match self.committed.poll(patience) {
                None => break,
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok((entries, span, true)),
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(KafkaError::MessageConsumptionFatal(code));
                }
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    return Err(error);
                }
                // Passing trouble with the connection, which the client mends.
                Some(Err(_)) => break,
                Some(Ok(message)) => message,
            };
            if message.offset() >= span.end {
                return Ok((entries, span, true));
            }
            span.begin = message.offset() + 1;
            span.timestamp = span.timestamp.max(message.timestamp().to_millis().unwrap_or(0));
            let id = message.payload().and_then(SchemaId::of).filter(|id| self.known != Some(*id));
            match id.map(|id| (id, self.schemas.status_of(id))) {
                Some((id, SchemaStatus::Unresolved(_))) => drop(self.unresolved.insert(id)),
                Some((id, _)) => self.known = Some(id),
                None => {}
            }
            // A changelog was written by this engine; a table comes from elsewhere, and what cannot be read of it is in
            // the dead letters.
            let is_legible = |value| job.until.is_none() || job.graph.table_takes(&job.topic, &self.schemas, value);
            if !message.payload().is_none_or(is_legible) {
                continue;
            }
            let key = message.key().map(std::str::from_utf8);
            if let Some(Ok(key)) = key.filter(|key| key.is_ok_and(|key| key.len() <= MAX_KEY_BYTES)) {
                entries.push((key.into(), message.payload().map(Into::into)));
            }
        }
        Ok((entries, span, false))
    }

    /// Makes what was read the state of the share.
    fn advance(&self, job: &Job, entries: Vec<Change>, span: Span) -> Result<(), StreamsError> {
        let checkpoint = Checkpoint { offset: span.begin, timestamp: span.timestamp };
        Ok(job.share.apply(&mut entries.into_iter(), Some(checkpoint))?)
    }

    fn report(&mut self, job: &Job, span: Span, records: u64) {
        if self.since_report.elapsed() >= REPORT_INTERVAL {
            self.since_report = Stopwatch::start();
            let (topic, task) = (&job.topic, job.task);
            tracing::info!(%task, topic, records, remaining = span.end - span.begin, "a store is being restored");
        }
    }

    fn finish(&mut self, has_state: bool) -> Turn {
        self.stage = Stage::Idle;
        let job = self.jobs.pop_front().expect("only a job that is there is finished");
        let completes_task = self.jobs.iter().all(|other| other.task != job.task);
        Turn::Complete(Restored { task: job.task, records: job.records, has_state, completes_task })
    }
}

impl Job {
    /// A changelog that is one offset longer than what a share holds has the marker of a transaction there: a record
    /// would have one behind it.
    fn is_marker(&self, span: Span) -> bool {
        self.until.is_none() && span.begin + 1 == span.end
    }
}

fn truncated(topic: &str, task: TaskId, low: i64) -> StreamsError {
    StreamsError::Configuration(format!(
        "{topic} begins at offset {low}: records were deleted, and state of task {task} with them, which nothing here has \
         kept. Start an instance that has local state (--state-dir); or stop the service, delete the changelog, create it \
         again with millrace-topics, and write to it what the state must be"
    ))
}
