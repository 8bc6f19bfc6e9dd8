use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use anyhow::Context as _;
use service_kit::{Context, Sink, SinkEvent, SinkRecord, TopicPartition};
use tokio::time::sleep;

use super::copy::Portion;
use super::seen::Seen;
use crate::domain::{Fold, Rows};
use crate::log::Reader;
use crate::options::Options;

/// The log, from its beginning.
#[derive(Debug)]
pub struct Replay {
    sink: Sink,
    reader: Reader,
    partitions: BTreeSet<TopicPartition>,
    /// Behind what was read last. Of a partition that holds nothing there is none.
    positions: BTreeMap<TopicPartition, i64>,
    /// What was read and not taken yet, and the rows that it makes.
    records: Vec<SinkRecord>,
    bytes: usize,
    fold: Fold,
    seen: Seen,
    pub read: u64,
    pub left_out: u64,
}

/// How much is read at most before it is taken.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    records: usize,
    bytes: usize,
}

/// What is written in one transaction.
pub const PORTION: Limit = Limit { records: 50_000, bytes: 32 * 1024 * 1024 };
/// Whatever there is.
pub const ALL: Limit = Limit { records: usize::MAX, bytes: usize::MAX };
/// Before a broker that does not answer is asked again.
const RETRY_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

impl Replay {
    pub async fn begin(context: &Context<Options>) -> anyhow::Result<Self> {
        let mut sink = context.replay();
        let partitions = sink.assigned().await?.into_iter().collect();
        sink.start_at([]);
        Ok(Self {
            sink,
            reader: Reader::new(context.options()),
            partitions,
            positions: BTreeMap::new(),
            records: Vec::new(),
            bytes: 0,
            fold: Fold::default(),
            seen: Seen::new(),
            read: 0,
            left_out: 0,
        })
    }

    /// How far the log goes now: behind the last record of each partition; and how many records there are, about.
    pub async fn ends(&self) -> (BTreeMap<TopicPartition, i64>, u64) {
        loop {
            match self.sink.extents().await {
                Ok(extents) => {
                    let records = extents.values().map(|extent| extent.end.abs_diff(extent.start)).sum();
                    return (extents.into_iter().map(|(at, extent)| (at, extent.end)).collect(), records);
                }
                Err(error) => tracing::warn!(%error, "waiting for the broker to say how far the log goes"),
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    /// The offset that the next record of each partition will have, as it is now.
    pub async fn log_ends(&self) -> BTreeMap<TopicPartition, i64> {
        loop {
            match self.sink.log_ends().await {
                Ok(ends) => return ends,
                Err(error) => tracing::warn!(%error, "waiting for the broker to say where the log ends"),
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    /// Reads on, until it is behind all of these positions, or so much was read that was not taken yet. Cancel safe.
    ///
    /// # Errors
    /// The log cannot be read any more.
    pub async fn read(&mut self, ends: &BTreeMap<TopicPartition, i64>, at_most: Limit) -> anyhow::Result<()> {
        while self.records.len() < at_most.records && self.bytes < at_most.bytes && !self.is_behind(ends) {
            if let SinkEvent::Records(records) = self.sink.next().await.context("the log cannot be read")? {
                records.into_iter().for_each(|record| self.take(record));
            }
        }
        Ok(())
    }

    /// Whether all that was before these positions was read.
    pub fn is_behind(&self, ends: &BTreeMap<TopicPartition, i64>) -> bool {
        let is_behind = |(at, end): (&TopicPartition, &i64)| self.positions.get(at).copied().unwrap_or(0) >= *end;
        ends.iter().filter(|(at, _)| self.partitions.contains(at)).all(is_behind)
    }

    /// Counts as read what somebody else had read, where it is known that what is left of it was read here, too. A log loses
    /// its last records where they say that something is gone.
    ///
    /// Returns the partitions whose log ends before that, as was asked later: they were made anew, and what somebody else had
    /// read was another log.
    pub fn pass(
        &mut self,
        others: BTreeMap<TopicPartition, i64>,
        log_ends: &BTreeMap<TopicPartition, i64>,
    ) -> BTreeSet<TopicPartition> {
        let others = others.into_iter().filter(|(at, _)| self.partitions.contains(at));
        let (left, made_anew): (Vec<_>, Vec<_>) =
            others.partition(|(at, next)| log_ends.get(at).is_some_and(|end| next <= end));
        for (at, next) in left {
            let ours = self.positions.entry(at).or_insert(next);
            *ours = next.max(*ours);
        }
        made_anew.into_iter().map(|(at, _)| at).collect()
    }

    /// Where it stands.
    pub fn positions(&self) -> &BTreeMap<TopicPartition, i64> {
        &self.positions
    }

    /// What was read and not taken yet, for tables that hold nothing but what was taken before.
    pub fn portion(&mut self) -> Portion {
        let (records, rows) = self.rows();
        Portion::of(records, rows, &mut self.seen)
    }

    /// What was read and not taken yet, and the rows that it makes.
    pub fn rows(&mut self) -> (Vec<SinkRecord>, Rows) {
        self.bytes = 0;
        (std::mem::take(&mut self.records), std::mem::take(&mut self.fold).rows())
    }

    fn take(&mut self, record: SinkRecord) {
        match self.reader.event(&record) {
            Ok((place, event)) => self.fold.add(&place, event),
            Err(cause) => {
                leave_out(&record, &cause);
                self.left_out += 1;
            }
        }
        self.read += 1;
        match self.positions.get_mut(record.source()) {
            Some(next) => *next = record.offset() + 1,
            None => drop(self.positions.insert(record.source().clone(), record.offset() + 1)),
        }
        self.bytes += record.size();
        self.records.push(record);
    }
}

/// Says that a record is in no table.
pub fn leave_out(record: &SinkRecord, cause: &dyn Display) {
    let (at, offset) = (record.source(), record.offset());
    tracing::warn!(topic = &*at.topic, partition = at.partition, offset, %cause, "a record is left out");
}
