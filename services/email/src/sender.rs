//! Takes mails out of the outbox, and sends each of them.
//!
//! A mail is claimed, sent, marked, and told of in `mails-sent`; only then may the position of its partition move past it and
//! those before. Killed in between, the next process begins at the position, finds what is marked and tells of it, and
//! repeats the rest under the same idempotency key: at least once, and once with a provider that honours the key. The mark
//! comes before the telling, so that no mail goes out again because Kafka is away.
//!
//! One task has the database and the sink; attempts are tasks of their own, so that no mail waits for another.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use service_kit::{Context, DeadLetters, Reading, Sink, SinkEvent, SinkRecord, TopicPartition, observe};
use shared_schemas::MailDue;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Interval, interval, sleep};
use tokio_util::time::DelayQueue;

use crate::attempt::{Attempt, Attempted, Finished, Mail};
use crate::db::{Claim, Db, Entry};
use crate::options::Options;
use crate::prefix::Prefix;
use crate::transport::Transport;

/// What the readiness page calls what the sender waits for.
const DATABASE: &str = "database";

/// Mails taken and not finished; when there are more, no others are taken. A provider that refuses all of them is away.
const MAX_OPEN: usize = 2000;
/// Between two questions for a mail that somebody else is sending.
const TAKEN_INTERVAL: Duration = Duration::from_secs(1);
/// How long the database may take for anything it is asked.
const DATABASE_PATIENCE: Duration = Duration::from_secs(10);
/// Before the database is tried again.
const DATABASE_INTERVAL: Duration = Duration::from_secs(1);
/// Between two removals of old mails.
const FORGET_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// Longer than the outbox holds a mail, and so can repeat it.
const FORGET_AFTER: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// Sends until the process stops; it is not ready before the database has answered.
pub fn start(context: Context<Options>) -> impl Future<Output = anyhow::Result<()>> + Send {
    context.awaiting(DATABASE, "the database has not answered yet");
    run(context)
}

async fn run(context: Context<Options>) -> anyhow::Result<()> {
    let stopping = context.stopping();
    let mut sender = Sender::new(context)?;
    let open = sender.open.clone();
    observe("email_mails_open", "Mails taken from the outbox and not finished", move || {
        vec![Reading::new(open.load(Ordering::Relaxed), [])]
    });
    loop {
        let turned = tokio::select! {
            () = stopping.cancelled() => break,
            turned = sender.turn() => turned,
        };
        if let Err(trouble) = turned {
            tokio::select! {
                () = stopping.cancelled() => break,
                recovered = sender.begin_again(trouble) => recovered?,
            }
        }
    }
    sender.end().await
}

struct Sender {
    context: Context<Options>,
    sink: Sink,
    dead_letters: DeadLetters,
    db: Db,
    transport: Arc<Transport>,
    partitions: Vec<TopicPartition>,
    /// Whether the partitions are being read.
    is_begun: bool,
    prefixes: BTreeMap<TopicPartition, Prefix>,
    /// To be claimed.
    due: VecDeque<Box<Mail>>,
    /// On their way.
    attempts: JoinSet<anyhow::Result<Attempted>>,
    /// To be claimed again after a while.
    later: DelayQueue<Box<Mail>>,
    /// Not known to the database yet.
    finished: Vec<Finished>,
    /// How many mails are taken and not finished, for the metrics.
    open: Arc<AtomicU64>,
    forget: Interval,
}

/// Why a turn cannot be taken to its end.
enum Trouble {
    /// Everything begins again at the positions.
    Database(sqlx::Error),
    Fatal(anyhow::Error),
}

enum Event {
    Sink(SinkEvent),
    Attempted(Result<anyhow::Result<Attempted>, JoinError>),
    Due(Box<Mail>),
    Forget,
}

impl Sender {
    fn new(context: Context<Options>) -> anyhow::Result<Self> {
        let options = context.options().clone();
        // Each attempt renews the claim, and takes less than that.
        let lease = 3 * options.send_timeout;
        let sink = context.sink();
        Ok(Self {
            dead_letters: sink.dead_letters(),
            sink,
            db: Db::new(&options.database_url, context.instance().to_string(), lease)?,
            transport: Arc::new(Transport::new(&options)?),
            context,
            partitions: Vec::new(),
            is_begun: false,
            prefixes: BTreeMap::new(),
            due: VecDeque::new(),
            attempts: JoinSet::new(),
            later: DelayQueue::new(),
            finished: Vec::new(),
            open: Arc::default(),
            forget: interval(FORGET_INTERVAL),
        })
    }

    /// Waits for something to happen, and does what follows from it.
    async fn turn(&mut self) -> Result<(), Trouble> {
        if !self.is_begun {
            self.begin().await?;
        }
        match self.event().await? {
            Event::Sink(SinkEvent::Assigned(partitions)) => {
                // These first: whatever fails from here on, the sink has forgotten the partitions of before.
                self.partitions = partitions;
                self.is_begun = false;
                self.settle().await?;
                self.prefixes.clear();
            }
            Event::Sink(SinkEvent::Records(records)) => records.into_iter().for_each(|record| self.take(record)),
            Event::Due(mail) => self.due.push_back(mail),
            Event::Attempted(attempted) => {
                self.note(attempted)?;
                while let Some(attempted) = self.attempts.try_join_next() {
                    self.note(attempted)?;
                }
            }
            Event::Forget => drop(in_time(self.db.forget(FORGET_AFTER)).await?),
        }
        self.claim().await?;
        self.finish().await
    }

    /// Has the partitions read from where they are done.
    async fn begin(&mut self) -> Result<(), Trouble> {
        in_time(self.db.migrate()).await?;
        // Otherwise they would be sent again.
        self.mark().await?;
        let positions = in_time(self.db.positions(&self.partitions)).await?;
        if !self.partitions.is_empty() {
            self.sink.start_at(positions);
        }
        self.is_begun = true;
        self.context.arrived(DATABASE);
        Ok(())
    }

    async fn event(&mut self) -> Result<Event, Trouble> {
        let open = self.due.len() + self.attempts.len() + self.later.len();
        self.open.store(open as u64, Ordering::Relaxed);
        let is_full = open >= MAX_OPEN;
        let Self { sink, attempts, later, forget, .. } = self;
        let from_sink =
            async { if is_full { sink.assigned().await.map(SinkEvent::Assigned) } else { sink.next().await } };
        tokio::select! {
            event = from_sink => event.map(Event::Sink).map_err(|error| Trouble::Fatal(error.into())),
            Some(attempted) = attempts.join_next() => Ok(Event::Attempted(attempted)),
            Some(mail) = poll_fn(|context| later.poll_expired(context)) => Ok(Event::Due(mail.into_inner())),
            _ = forget.tick() => Ok(Event::Forget),
        }
    }

    fn take(&mut self, record: SinkRecord) {
        self.prefixes.entry(record.source().clone()).or_default().take(record.offset());
        match record.value::<MailDue>() {
            Ok(due) => self.due.push_back(Box::new(Mail::new(record, due, self.context.clock()()))),
            Err(cause) => {
                let attempt = self.attempt();
                self.attempts.spawn(async move { attempt.put_aside(record, None, cause.to_string()).await });
            }
        }
    }

    fn attempt(&self) -> Attempt {
        Attempt {
            context: self.context.clone(),
            transport: self.transport.clone(),
            dead_letters: self.dead_letters.clone(),
        }
    }

    /// Claims as many mails as may be on their way, and sends them off.
    async fn claim(&mut self) -> Result<(), Trouble> {
        loop {
            let room = self.context.options().send_concurrency.saturating_sub(self.attempts.len());
            let mails: Vec<_> = self.due.drain(..room.min(self.due.len())).collect();
            if mails.is_empty() {
                return Ok(());
            }
            let entries: Vec<Entry> = mails.iter().map(|mail| mail.entry()).collect();
            let claims = in_time(self.db.claim(&entries)).await?;
            for ((mail, entry), claim) in mails.into_iter().zip(entries).zip(claims) {
                match claim {
                    Claim::Ours => {
                        let attempt = self.attempt();
                        self.attempts.spawn(attempt.send(mail));
                    }
                    Claim::Sent(at) => {
                        // Whether it was told of is not known.
                        let untold = Some(mail.sent(at));
                        self.finished.push(Finished { entry, end: None, untold });
                    }
                    Claim::Dead => self.finished.push(Finished { entry, end: None, untold: None }),
                    Claim::Taken => drop(self.later.insert(mail, TAKEN_INTERVAL)),
                }
            }
        }
    }

    fn note(&mut self, attempted: Result<anyhow::Result<Attempted>, JoinError>) -> Result<(), Trouble> {
        match attempted.map_err(|panic| Trouble::Fatal(panic.into()))?.map_err(Trouble::Fatal)? {
            Attempted::Finished(finished) => self.finished.push(finished),
            Attempted::Again { mail, after } => drop(self.later.insert(mail, after)),
            Attempted::Untold => {}
        }
        Ok(())
    }

    /// Marks what is finished, tells of what went out, and moves the positions over all before which nothing is open.
    async fn finish(&mut self) -> Result<(), Trouble> {
        if self.finished.is_empty() {
            return Ok(());
        }
        self.mark().await?;
        let mut positions = BTreeMap::new();
        for Finished { entry, untold, .. } in std::mem::take(&mut self.finished) {
            if let Some(untold) = untold {
                let attempt = self.attempt();
                self.attempts.spawn(attempt.tell(entry, untold));
                continue;
            }
            let Some(prefix) = self.prefixes.get_mut(&entry.source) else { continue };
            if prefix.finish(entry.offset) {
                positions.insert(entry.source, prefix.next_offset());
            }
        }
        if !positions.is_empty() {
            in_time(self.db.advance(&positions.into_iter().collect::<Vec<_>>())).await?;
        }
        Ok(())
    }

    async fn mark(&self) -> Result<(), Trouble> {
        let ends = self.finished.iter().filter_map(|finished| Some((finished.entry.key.clone(), finished.end?)));
        let ends: Vec<_> = ends.collect();
        if !ends.is_empty() {
            in_time(self.db.finish(&ends)).await?;
        }
        Ok(())
    }

    /// Forgets what is not on its way, and takes what is to its end.
    async fn settle(&mut self) -> Result<(), Trouble> {
        self.abandon().await?;
        // Sends the telling of what went out on its way, which moves positions in its turn.
        self.finish().await?;
        self.abandon().await?;
        self.finish().await
    }

    /// Forgets what is not on its way, and waits for what is.
    async fn abandon(&mut self) -> Result<(), Trouble> {
        while let Some(attempted) = self.attempts.join_next().await {
            self.note(attempted)?;
        }
        self.due.clear();
        self.later.clear();
        Ok(())
    }

    /// After the database failed: what is on its way comes to its end, then everything is as after a start.
    async fn begin_again(&mut self, trouble: Trouble) -> anyhow::Result<()> {
        let error = match trouble {
            Trouble::Database(error) => error,
            Trouble::Fatal(error) => return Err(error),
        };
        self.context.awaiting(DATABASE, format!("the database cannot be used: {error}"));
        if let Err(Trouble::Fatal(error)) = self.abandon().await {
            return Err(error);
        }
        self.prefixes.clear();
        self.is_begun = false;
        sleep(DATABASE_INTERVAL).await;
        Ok(())
    }

    /// What is on its way comes to its end, and is remembered.
    async fn end(mut self) -> anyhow::Result<()> {
        match self.settle().await {
            Ok(()) => Ok(()),
            Err(Trouble::Database(error)) => {
                tracing::warn!(%error, "mails that were sent may be sent once more: the database cannot be told");
                Ok(())
            }
            Err(Trouble::Fatal(error)) => Err(error),
        }
    }
}

/// A database that stands still is as good as away: a statement waits for its answer without end.
async fn in_time<T>(asked: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    tokio::time::timeout(DATABASE_PATIENCE, asked).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
