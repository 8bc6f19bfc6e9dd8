use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use avro_codec::{SchemaId, Schemas, Status as SchemaStatus};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use streams::{CommittedStore, Graph, TaskId};

use crate::Settings;

/// Reads stores back from their changelogs, a share at a time, a slice per turn of the thread.
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
}

/// One share of one store.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) task: TaskId,
    pub(crate) topic: String,
    pub(crate) share: Arc<CommittedStore>,
    /// Where to stop, if not at the end of the log: a table's topic is read on as an input from there.
    pub(crate) until: Option<i64>,
    pub(crate) graph: Arc<Graph>,
}

/// What became of a share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restored {
    pub(crate) task: TaskId,
    pub(crate) records: u64,
}

enum Stage {
    Idle,
    /// The read_committed end is not yet as far as the end of the log was.
    Behind {
        end: i64,
    },
    Reading {
        end: i64,
        records: u64,
    },
}

const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const RECORDS_PER_TURN: usize = 10_000;

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
        })
    }

    /// Goes on for a while; says which share is complete.
    pub(crate) fn turn(&mut self) -> Result<Option<Restored>, KafkaError> {
        let Some(job) = self.jobs.front().cloned() else { return Ok(None) };
        let topic = self.settings.topic(&job.topic);
        let partition = job.task.partition;
        match self.stage {
            Stage::Idle => {
                let (low, end) = self.uncommitted.fetch_watermarks(&topic, partition, CALL_TIMEOUT)?;
                let end = job.until.map_or(end, |until| until.min(end));
                if end <= low {
                    return Ok(Some(self.finish(0)));
                }
                self.stage = Stage::Behind { end };
            }
            Stage::Behind { end } => {
                let (low, visible) = self.committed.fetch_watermarks(&topic, partition, CALL_TIMEOUT)?;
                if visible >= end {
                    let mut start = TopicPartitionList::new();
                    start.add_partition_offset(&topic, partition, Offset::Offset(low))?;
                    self.committed.assign(&start)?;
                    self.stage = Stage::Reading { end, records: 0 };
                }
            }
            Stage::Reading { end, records } => {
                let (read, is_complete) = self.read(&job, end)?;
                let records = records + read;
                if is_complete {
                    return Ok(Some(self.finish(records)));
                }
                self.stage = Stage::Reading { end, records };
            }
        }
        Ok(None)
    }

    /// What is left to do.
    pub(crate) fn remaining(&self) -> String {
        let now = self.jobs.front().map(|job| format!(", now {} partition {}", job.topic, job.task.partition));
        format!("{} shares of stores left{}", self.jobs.len(), now.unwrap_or_default())
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

    fn read(&mut self, job: &Job, end: i64) -> Result<(u64, bool), KafkaError> {
        let mut entries = Vec::new();
        let mut is_complete = false;
        while entries.len() < RECORDS_PER_TURN {
            let message = match self.committed.poll(Duration::from_millis(if entries.is_empty() { 100 } else { 0 })) {
                None => break,
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    is_complete = true;
                    break;
                }
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(KafkaError::MessageConsumptionFatal(code));
                }
                // Passing trouble with the connection, which the client mends.
                Some(Err(_)) => break,
                Some(Ok(message)) => message,
            };
            if message.offset() >= end {
                is_complete = true;
                break;
            }
            if let Some(SchemaStatus::Unresolved(id)) = message.payload().map(|bytes| self.schemas.status(bytes)) {
                self.unresolved.insert(id);
            }
            // A changelog was written by this engine; a table comes from elsewhere, and what cannot be read of it is in
            // the dead letters.
            let is_legible = |value| job.until.is_none() || job.graph.table_takes(&job.topic, &self.schemas, value);
            if !message.payload().is_none_or(is_legible) {
                continue;
            }
            if let Some(Ok(key)) = message.key().map(std::str::from_utf8) {
                entries.push((key.into(), message.payload().map(Into::into)));
            }
        }
        let records = entries.len() as u64;
        job.share.apply(entries.into_iter());
        Ok((records, is_complete))
    }

    fn finish(&mut self, records: u64) -> Restored {
        self.stage = Stage::Idle;
        let job = self.jobs.pop_front().expect("only a job that is there is finished");
        Restored { task: job.task, records }
    }
}
