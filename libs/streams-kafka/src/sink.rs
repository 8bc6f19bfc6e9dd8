//! Records on their way out of Kafka, for something that keeps its own positions.
//!
//! A transaction of Kafka ends at its border. What is written elsewhere becomes true together with its position only where
//! both are kept: so the sink's own store keeps the positions, and the group is joined for its assignment alone. Nothing is
//! ever committed to it ("Designing Event-Driven Systems", chapter 12).
//!
//! ```no_run
//! # use streams_kafka::{Sink, SinkEvent, SinkRecord, TopicPartition};
//! # async fn run(mut sink: Sink) -> Result<(), Box<dyn std::error::Error>> {
//! # async fn positions(_: &[TopicPartition]) -> Vec<(TopicPartition, i64)> { Vec::new() }
//! # async fn write(_: Vec<SinkRecord>) {}
//! loop {
//!     match sink.next().await? {
//!         SinkEvent::Assigned(partitions) => sink.start_at(positions(&partitions).await),
//!         SinkEvent::Records(records) => write(records).await,
//!     }
//! }
//! # }
//! ```
//!
//! A partition can be somebody else's before the old owner has heard of it. Whoever writes must therefore let the store
//! decide: by moving each position with a compare-and-swap, in the transaction of what it stands for.
//!
//! What was written elsewhere can be made anew from the log: [`Sink::replay`] reads all partitions, beside the members of the
//! group and without their notice.

mod callbacks;
mod dead_letters;
mod extents;
mod figures;
mod member;
mod record;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use avro_codec::{SchemaId, Schemas};
use streams::TopicDeclaration;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use crate::spans::{GroupSpans, Tracing};
use crate::{Settings, Status, StreamsError};

pub use dead_letters::DeadLetters;
use member::Member;
pub use record::{SinkRecord, TopicPartition};

/// Reads topics for something outside Kafka that keeps its own positions. The [module's page](self) shows how.
#[derive(Debug)]
pub struct Sink {
    assignments: watch::Receiver<Assignment>,
    batches: mpsc::Receiver<Batch>,
    starts: mpsc::UnboundedSender<Start>,
    /// The assignment that was taken.
    generation: u64,
    /// Counts the starts: what was read after an earlier one is of no interest.
    start: u64,
    settings: Settings,
    topics: Vec<TopicDeclaration>,
    /// A replay has none.
    dead_letters: Option<DeadLetters>,
    status: watch::Receiver<Status>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What comes out of a sink.
#[derive(Debug)]
pub enum SinkEvent {
    /// These are all the partitions of this instance from now on; none, if they were taken away. Their records come when it
    /// is [said](Sink::start_at) where to begin.
    Assigned(Vec<TopicPartition>),
    /// Some records, those of a partition in its order, each offset once.
    Records(Vec<SinkRecord>),
}

/// All partitions of this member of the group, from here on.
#[derive(Clone, Debug, Default)]
struct Assignment {
    /// Grows with each assignment.
    generation: u64,
    partitions: Vec<TopicPartition>,
}

/// Where the partitions of an assignment begin; those that are missing, at their beginning.
#[derive(Debug)]
struct Start {
    number: u64,
    generation: u64,
    positions: HashMap<TopicPartition, i64>,
}

#[derive(Debug)]
struct Batch {
    start: u64,
    records: Vec<SinkRecord>,
}

/// What a member of the group is given.
struct World {
    settings: Settings,
    /// Whose group to be a member of; a replay is in none, and has all partitions.
    service: Option<String>,
    topics: Vec<TopicDeclaration>,
    schemas: Schemas,
    spans: GroupSpans,
    resolve: Box<dyn Fn(SchemaId) + Send>,
    assignments: watch::Sender<Assignment>,
    batches: mpsc::Sender<Batch>,
    starts: mpsc::UnboundedReceiver<Start>,
    status: watch::Sender<Status>,
    stop: Arc<AtomicBool>,
}

/// Batches that wait to be taken. When as many do, no more is fetched.
const MAX_BATCHES: usize = 2;

impl Sink {
    /// Joins the group `<service>-sink` for these topics from a thread of its own, and returns at once:
    /// [`status`](Self::status) tells how it goes. What cannot be handled is put aside in the `dead_letters` topic.
    ///
    /// `resolve` asks for the schema of an id that turned up in a record; it returns at once, and the answer shows in
    /// `schemas`. A partition waits for it meanwhile.
    ///
    /// # Errors
    /// No thread or no client can be started.
    pub fn start(
        settings: Settings,
        schemas: Schemas,
        service: &str,
        topics: Vec<TopicDeclaration>,
        resolve: impl Fn(SchemaId) + Send + 'static,
    ) -> Result<Self, StreamsError> {
        let dead_letters = DeadLetters::new(&settings, &schemas, service)?;
        let mut sink = Self::reading(settings, schemas, Some(service.to_string()), topics, resolve)?;
        sink.dead_letters = Some(dead_letters);
        Ok(sink)
    }

    /// Reads all partitions of these topics, in no group: no instance of the service loses any, and none hears of it. The
    /// first event says which there are; the rest is as with [`start`](Self::start). There are no dead letters: what cannot be
    /// handled was put aside by whoever handled it first.
    ///
    /// # Errors
    /// No thread or no client can be started.
    pub fn replay(
        settings: Settings,
        schemas: Schemas,
        topics: Vec<TopicDeclaration>,
        resolve: impl Fn(SchemaId) + Send + 'static,
    ) -> Result<Self, StreamsError> {
        Self::reading(settings, schemas, None, topics, resolve)
    }

    fn reading(
        settings: Settings,
        schemas: Schemas,
        service: Option<String>,
        topics: Vec<TopicDeclaration>,
        resolve: impl Fn(SchemaId) + Send + 'static,
    ) -> Result<Self, StreamsError> {
        let (assigned, assignments) = watch::channel(Assignment::default());
        let (polled, batches) = mpsc::channel(MAX_BATCHES);
        let (starts, started) = mpsc::unbounded_channel();
        let (reported, status) = watch::channel(Status::Waiting("the broker".to_string()));
        let stop = Arc::new(AtomicBool::new(false));
        let name = service.as_deref().map_or("replay".to_string(), member::group);
        // What is read once more was watched when it was new.
        let tracing = if service.is_some() { settings.tracing.clone() } else { Tracing::default() };
        let world = World {
            settings: settings.clone(),
            service,
            topics: topics.clone(),
            schemas,
            spans: GroupSpans::new(tracing, &settings.topic(&name)),
            resolve: Box::new(resolve),
            assignments: assigned,
            batches: polled,
            starts: started,
            status: reported,
            stop: stop.clone(),
        };
        let thread = thread::Builder::new().name(name).spawn(move || Member::work(world));
        let thread = Some(thread.map_err(|error| StreamsError::Configuration(error.to_string()))?);
        Ok(Self {
            assignments,
            batches,
            starts,
            generation: 0,
            start: 0,
            settings,
            topics,
            dead_letters: None,
            status,
            stop,
            thread,
        })
    }

    /// Where it stands.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Where records are put that the sink gives up on.
    ///
    /// # Panics
    /// It is a [replay](Self::replay).
    pub fn dead_letters(&self) -> DeadLetters {
        self.dead_letters.clone().expect("a replay puts nothing aside")
    }

    /// The part of each partition of the topics that holds records now, from the offset of the first to that behind the last
    /// committed one. Partitions without records are left out. Asked on a connection of its own; to be asked again if the
    /// broker does not answer.
    ///
    /// # Errors
    /// The broker does not answer.
    pub async fn extents(&self) -> Result<BTreeMap<TopicPartition, Range<i64>>, StreamsError> {
        let (settings, topics) = (self.settings.clone(), self.topics.clone());
        let asked = spawn_blocking(move || extents::extents(&settings, &topics)).await;
        Ok(asked.map_err(|panic| StreamsError::Configuration(panic.to_string()))??)
    }

    /// The offset that the next record of each partition will have (Kafka's log end offset): no position that was true of this
    /// log lies beyond. Asked as [`extents`](Self::extents) are.
    ///
    /// # Errors
    /// The broker does not answer.
    pub async fn log_ends(&self) -> Result<BTreeMap<TopicPartition, i64>, StreamsError> {
        let (settings, topics) = (self.settings.clone(), self.topics.clone());
        let asked = spawn_blocking(move || extents::log_ends(&settings, &topics)).await;
        Ok(asked.map_err(|panic| StreamsError::Configuration(panic.to_string()))??)
    }

    /// Waits for what comes next. Cancel safe.
    ///
    /// # Errors
    /// It has ended, and this is why.
    pub async fn next(&mut self) -> Result<SinkEvent, StreamsError> {
        let before = self.generation;
        loop {
            let event = tokio::select! {
                // First, so that nothing is written for partitions that have gone.
                biased;
                news = self.assignments.wait_for(|assignment| assignment.generation > before) => {
                    news.ok().map(|assignment| Ok(assignment.clone()))
                }
                batch = self.batches.recv() => batch.map(Err),
            };
            match event {
                Some(Ok(assignment)) => return Ok(SinkEvent::Assigned(self.taken(assignment))),
                Some(Err(batch)) if batch.start == self.start => return Ok(SinkEvent::Records(batch.records)),
                Some(Err(_)) => {}
                None => return Err(self.end().await),
            }
        }
    }

    /// Waits until other partitions are assigned than before, and takes no records meanwhile: for a sink that is full.
    /// Cancel safe.
    ///
    /// # Errors
    /// It has ended, and this is why.
    pub async fn assigned(&mut self) -> Result<Vec<TopicPartition>, StreamsError> {
        let before = self.generation;
        let news = self.assignments.wait_for(|assignment| assignment.generation > before).await;
        let Ok(assignment) = news.map(|assignment| assignment.clone()) else {
            return Err(self.end().await);
        };
        Ok(self.taken(assignment))
    }

    /// Has the partitions that were assigned last read from these offsets, and from their beginning where there is none. To
    /// be said once more if something went wrong: then reading goes back there.
    pub fn start_at(&mut self, positions: impl IntoIterator<Item = (TopicPartition, i64)>) {
        self.start += 1;
        let positions = positions.into_iter().collect();
        // If the thread has ended, the next call says so.
        let _ = self.starts.send(Start { number: self.start, generation: self.generation, positions });
    }

    fn taken(&mut self, Assignment { generation, partitions }: Assignment) -> Vec<TopicPartition> {
        self.generation = generation;
        // Nothing that was read before is of interest, whether or not these are started.
        self.start += 1;
        partitions
    }

    /// Why it has ended, which is said last.
    async fn end(&self) -> StreamsError {
        let mut status = self.status.clone();
        let is_last = |status: &Status| matches!(status, Status::Failed(_) | Status::Stopped);
        let last = status.wait_for(is_last).await.map(|last| last.to_string());
        StreamsError::Configuration(last.unwrap_or_else(|_| "the thread of the sink is gone".to_string()))
    }
}

impl Drop for Sink {
    /// The instance keeps its place in the group for the session timeout (KIP-345).
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Whoever drops it may be a worker of a runtime: the thread ends by itself.
        drop(self.thread.take());
    }
}

impl World {
    fn to_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}
