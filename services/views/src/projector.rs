//! Takes what happens out of the log, and writes it to the tables.
//!
//! Rows and positions become true in one transaction, which moves each position from where this instance believes it to be.
//! If it is elsewhere, or anything else fails, nothing was written, or all of it: the positions are asked for again, and
//! reading begins there. So no event counts twice, whoever else writes, and however late.
//!
//! While one batch is written the next gathers, so that batches are as large as they have to be.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::mem;
use std::pin::pin;
use std::time::Duration;

use service_kit::{Context, Counter, DeadLetters, Histogram, Sink, SinkEvent, SinkRecord, TopicPartition};
use tokio::time::{sleep, timeout};

use crate::db::{Db, Move, OTHER_LAYOUT, Trouble, is_about_data};
use crate::domain::{Rows, verdict_latency};
use crate::log::Reader;
use crate::options::Options;

/// What the readiness page calls what the projector waits for.
const DATABASE: &str = "database";

/// Records of a batch, beyond which no more are gathered.
const ENOUGH_RECORDS: usize = 10_000;
/// Their bytes likewise.
const ENOUGH_BYTES: usize = 16 * 1024 * 1024;
/// One to write with, and one more while that one is given up.
const CONNECTIONS: u32 = 2;
/// How long the database may take for a batch; longer than it takes to find out itself that something takes too long.
const DATABASE_PATIENCE: Duration = Duration::from_secs(15);
/// Before the database is tried again.
const DATABASE_INTERVAL: Duration = Duration::from_secs(1);

static EVENTS: Counter = Counter::new("views_events", "Events that are in the tables");
static BATCHES: Counter = Counter::new("views_batches", "Transactions in which events were written");
static CONFLICTS: Counter =
    Counter::new("views_conflicts", "Transactions that were undone because somebody else had moved a position");

static VERDICTS: Histogram = Histogram::new(
    "views_verdict_latency",
    "From the request of an order until the verdict on it was written to its topic",
    &[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0],
);

/// Writes until the process stops; it is not ready before the database has answered and its tables fit.
pub fn start(context: Context<Options>) -> impl Future<Output = anyhow::Result<()>> + Send {
    context.awaiting(DATABASE, "the database has not answered yet");
    run(context)
}

async fn run(context: Context<Options>) -> anyhow::Result<()> {
    let stopping = context.stopping();
    let mut projector = Projector::new(context)?;
    // A transaction that is cut off comes to nothing, or was committed: the next process finds out.
    tokio::select! {
        () = stopping.cancelled() => Ok(()),
        ended = projector.work() => ended.map(|never| match never {}),
    }
}

struct Projector {
    context: Context<Options>,
    sink: Sink,
    inbox: Inbox,
    writer: Writer,
}

/// What has come out of the sink.
struct Inbox {
    partitions: Vec<TopicPartition>,
    /// Whether the partitions are being read.
    is_begun: bool,
    /// Not written yet.
    records: Vec<SinkRecord>,
    bytes: usize,
    batch_size: BatchSize,
}

/// How many records are written at once: fewer after the database has failed with more, which may just have been too slow for
/// them.
struct BatchSize(usize);

struct Writer {
    db: Db,
    reader: Reader,
    dead_letters: DeadLetters,
    /// Where each partition is in the tables, as far as is known here.
    positions: BTreeMap<TopicPartition, i64>,
}

/// Why a turn cannot be taken to its end.
enum Failure {
    /// Everything begins again at the positions.
    Tables(Trouble),
    Fatal(anyhow::Error),
}

impl Projector {
    fn new(context: Context<Options>) -> anyhow::Result<Self> {
        let options = context.options();
        let sink = context.sink();
        let writer = Writer {
            db: Db::new(&options.database_url, CONNECTIONS)?,
            reader: Reader::new(options),
            dead_letters: sink.dead_letters(),
            positions: BTreeMap::new(),
        };
        Ok(Self { context, sink, inbox: Inbox::new(), writer })
    }

    async fn work(&mut self) -> anyhow::Result<Infallible> {
        loop {
            match self.turn().await {
                Ok(()) => continue,
                Err(Failure::Fatal(error)) => return Err(error),
                Err(Failure::Tables(Trouble::Conflict)) => {
                    tracing::info!("somebody else has moved a position: beginning there");
                    CONFLICTS.add(1);
                }
                Err(Failure::Tables(Trouble::OtherLayout)) => self.pause(OTHER_LAYOUT.to_string()).await,
                Err(Failure::Tables(Trouble::Database(error))) => {
                    self.pause(format!("the database cannot be used: {error}")).await;
                }
            }
            self.inbox.begin_again();
        }
    }

    async fn pause(&self, reason: String) {
        self.context.awaiting(DATABASE, reason);
        sleep(DATABASE_INTERVAL).await;
    }

    /// Waits for records if there are none, or writes those that are there and gathers others meanwhile.
    async fn turn(&mut self) -> Result<(), Failure> {
        if !self.inbox.is_begun {
            self.begin().await?;
        }
        let batch = self.inbox.batch();
        let Self { sink, inbox, writer, .. } = self;
        if batch.is_empty() {
            inbox.take(sink.next().await.map_err(anyhow::Error::from)?);
            return Ok(());
        }
        let mut writing = pin!(writer.write(&batch));
        let written = loop {
            tokio::select! {
                written = &mut writing => break written,
                event = sink.next(), if !inbox.is_full() => inbox.take(event.map_err(anyhow::Error::from)?),
            }
        };
        match &written {
            Ok(()) => inbox.batch_size.grow(),
            Err(Failure::Tables(Trouble::Database(_))) => inbox.batch_size.shrink(batch.len()),
            Err(_) => {}
        }
        written
    }

    /// Has the partitions read from where they are in the tables.
    async fn begin(&mut self) -> Result<(), Failure> {
        let Self { context, sink, inbox, writer } = self;
        in_time(writer.db.prepare()).await?;
        let positions = in_time(writer.db.positions(&inbox.partitions)).await?;
        if !inbox.partitions.is_empty() {
            // What was never read begins where its log does.
            sink.start_at(positions.iter().filter(|(_, next)| *next > 0).cloned());
        }
        writer.positions = positions.into_iter().collect();
        inbox.is_begun = true;
        context.arrived(DATABASE);
        Ok(())
    }
}

impl Inbox {
    fn new() -> Self {
        let batch_size = BatchSize(ENOUGH_RECORDS);
        Self { partitions: Vec::new(), is_begun: false, records: Vec::new(), bytes: 0, batch_size }
    }

    fn take(&mut self, event: SinkEvent) {
        match event {
            SinkEvent::Assigned(partitions) => {
                self.partitions = partitions;
                self.begin_again();
            }
            SinkEvent::Records(records) => {
                self.bytes += records.iter().map(SinkRecord::size).sum::<usize>();
                self.records.extend(records);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.records.len() >= ENOUGH_RECORDS || self.bytes >= ENOUGH_BYTES
    }

    /// Takes out as many records as are written at once.
    fn batch(&mut self) -> Vec<SinkRecord> {
        let others = self.records.split_off(self.batch_size.0.min(self.records.len()));
        self.bytes = others.iter().map(SinkRecord::size).sum();
        mem::replace(&mut self.records, others)
    }

    /// Whatever is not written is read once more.
    fn begin_again(&mut self) {
        self.records.clear();
        self.bytes = 0;
        self.is_begun = false;
    }
}

impl BatchSize {
    /// So many were written.
    fn grow(&mut self) {
        self.0 = (self.0 + self.0 / 2 + 1).min(ENOUGH_RECORDS);
    }

    /// So many were not.
    fn shrink(&mut self, batch: usize) {
        self.0 = (batch / 2).max(1);
    }
}

impl Writer {
    /// Writes a batch. What cannot be read is put aside before.
    async fn write(&mut self, records: &[SinkRecord]) -> Result<(), Failure> {
        let mut events = Vec::with_capacity(records.len());
        for record in records {
            match self.reader.event(record) {
                Ok(event) => events.push(event),
                Err(cause) => self.put_aside(record, &cause).await?,
            }
        }
        let verdicts: Vec<_> = events.iter().filter_map(|(place, event)| verdict_latency(place, event)).collect();
        match self.commit(records, Rows::of(events)).await {
            Err(Trouble::Database(error)) if is_about_data(&error) => self.halve(records).await,
            committed => {
                committed?;
                verdicts.into_iter().for_each(|latency| VERDICTS.record(latency));
                Ok(())
            }
        }
    }

    /// Writes what can be written of a batch that the database refuses: by halves, until what it refuses is one record.
    async fn halve(&mut self, records: &[SinkRecord]) -> Result<(), Failure> {
        let mut parts = vec![records];
        while let Some(part) = parts.pop() {
            // What cannot be read was put aside before.
            let events = part.iter().filter_map(|record| self.reader.event(record).ok());
            let rows = Rows::of(events);
            match (self.commit(part, rows).await, part) {
                (Err(Trouble::Database(error)), [record]) if is_about_data(&error) => {
                    self.put_aside(record, &error).await?;
                    self.commit(part, Rows::default()).await?;
                }
                (Err(Trouble::Database(error)), _) if is_about_data(&error) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                (committed, _) => committed?,
            }
        }
        Ok(())
    }

    async fn put_aside(&self, record: &SinkRecord, cause: &(dyn std::fmt::Display + Sync)) -> Result<(), Failure> {
        Ok(self.dead_letters.put(record, cause).await.map_err(anyhow::Error::from)?)
    }

    /// Writes the rows of these records, and moves the positions behind them. Their spans end with that.
    async fn commit(&mut self, records: &[SinkRecord], rows: Rows) -> Result<(), Trouble> {
        let mut spans: Vec<_> = records.iter().map(SinkRecord::processing).collect();
        let committed = self.move_on(records, rows).await;
        if committed.is_err() {
            spans.iter_mut().for_each(|span| span.fail(&"the rows were not written"));
        }
        committed
    }

    async fn move_on(&mut self, records: &[SinkRecord], rows: Rows) -> Result<(), Trouble> {
        let mut ends: BTreeMap<&TopicPartition, i64> = BTreeMap::new();
        for record in records {
            ends.insert(record.source(), record.offset() + 1);
        }
        let from = |at| self.positions.get(at).copied().unwrap_or_default();
        let moves: Vec<_> = ends.into_iter().map(|(at, to)| Move { at: at.clone(), from: from(at), to }).collect();
        in_time(self.db.write(&rows, &moves)).await?;
        self.positions.extend(moves.into_iter().map(|moved| (moved.at, moved.to)));
        EVENTS.add(records.len().try_into().unwrap_or(u64::MAX));
        BATCHES.add(1);
        Ok(())
    }
}

/// A database that stands still is as good as away: a statement waits for its answer without end.
async fn in_time<T>(asked: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(DATABASE_PATIENCE, asked).await.unwrap_or(Err(Trouble::Database(sqlx::Error::PoolTimedOut)))
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Fatal(error)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Tables(trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_was_too_much_is_halved_until_it_is_not_and_grows_again() {
        let mut size = BatchSize(ENOUGH_RECORDS);
        for batch in [1000, 500, 250, 3, 1] {
            size.shrink(batch);
            assert_eq!(size.0, (batch / 2).max(1));
        }
        let grown = (0..100).find(|_| {
            size.grow();
            size.0 == ENOUGH_RECORDS
        });
        assert!(grown < Some(30), "{grown:?}");
        size.grow();
        assert_eq!(size.0, ENOUGH_RECORDS);
    }
}
