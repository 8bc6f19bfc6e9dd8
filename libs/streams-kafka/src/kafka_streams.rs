use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use avro_codec::{AvroRecord, SchemaId, Schemas};
use streams::{Graph, Store, StoreError};
use tokio::sync::watch;

use crate::clock::Stopwatch;
use crate::disk::StateDirectory;
use crate::global::{self, Globals};
use crate::owners::{self, Owners};
use crate::status::ThreadStatus;
use crate::stores::Suspended;
use crate::thread::StreamThread;
use crate::topics::{self, TopicsError};
use crate::view::{EncodedView, Shares, View};
use crate::world::{Wish, World};
use crate::{Settings, Status, StreamsError, metrics};

/// A topology at work: waits for what it needs, joins its group, restores its stores, processes exactly once, until it is
/// stopped.
#[derive(Debug)]
pub struct KafkaStreams {
    shares: Arc<Shares>,
    schemas: Schemas,
    status: watch::Receiver<Status>,
    wish: Arc<Wish>,
    threads: Vec<JoinHandle<()>>,
}

/// Between two looks for what is not there yet.
const WAIT_INTERVAL: Duration = Duration::from_millis(200);
/// Between two looks whether the global tables are there.
const GLOBALS_INTERVAL: Duration = Duration::from_millis(10);

impl KafkaStreams {
    /// Starts the stream threads. Returns at once; [`KafkaStreams::status`] tells how it goes.
    ///
    /// `schemas` must already be bound for every topic the graph writes. `resolve` asks for the schema of an id that
    /// turned up in a record; it returns at once, and the answer shows in `schemas`.
    ///
    /// # Errors
    /// The directory of the stores cannot be used, or no thread can be started.
    pub fn start(
        graph: Arc<Graph>,
        settings: Settings,
        schemas: Schemas,
        resolve: impl Fn(SchemaId) + Send + Sync + 'static,
    ) -> Result<Self, StreamsError> {
        let shares = Arc::new(Shares::new(Owners::new(&graph, &settings)));
        metrics::observe_waiters(graph.name(), shares.clone());
        let directory = settings.state_dir.as_ref().map(|root| {
            let name = settings.topic(&format!("{}-{}", graph.name(), settings.instance));
            StateDirectory::open(&root.join(name)).map(Arc::new)
        });
        let directory = directory.transpose()?;
        let globals = Arc::new(Globals::new(graph.clone()));
        let (statuses, status) =
            ThreadStatus::of_threads(settings.stream_threads + usize::from(!globals.are_restored()));
        let mut streams = Self {
            shares: shares.clone(),
            schemas: schemas.clone(),
            status,
            wish: Arc::default(),
            threads: Vec::new(),
        };
        if shares.owners().has_stores() {
            owners::describe(shares.clone(), settings.clone(), graph.name())
                .map_err(|error| StreamsError::Configuration(error.to_string()))?;
        }
        let (resolve, suspended) = (Arc::new(resolve), Arc::new(Suspended::default()));
        for (thread, status) in statuses.into_iter().enumerate() {
            let reads_globals = thread == settings.stream_threads;
            let name = if reads_globals { "globals".to_string() } else { format!("streams-{thread}") };
            let world = World {
                graph: graph.clone(),
                settings: settings.clone(),
                schemas: schemas.clone(),
                shares: shares.clone(),
                directory: directory.clone(),
                globals: globals.clone(),
                suspended: suspended.clone(),
                resolve: resolve.clone(),
                wish: streams.wish.clone(),
                thread,
                status,
            };
            let spawned = thread::Builder::new()
                .name(format!("{}-{name}", graph.name()))
                .spawn(move || work(&world, if reads_globals { read_globals } else { attempts }));
            streams.threads.push(spawned.map_err(|error| StreamsError::Configuration(error.to_string()))?);
        }
        Ok(streams)
    }

    /// Where it stands.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Reads committed state of one of its stores.
    pub fn view<S: AvroRecord>(&self, store: &Store<S>) -> View<S> {
        View::new(store, self.shares.clone(), self.schemas.clone())
    }

    /// The same of the store of this name, with values as they are stored.
    pub fn encoded_view(&self, store: &str) -> Option<EncodedView> {
        self.shares.owners().has_store(store).then(|| EncodedView::new(store, self.shares.clone()))
    }

    /// Asks it to stop: what is open is committed. [`Status::Stopped`] follows, unless it has left before. The instance
    /// keeps its place in the group for the session timeout, so that a restart takes the same partitions back without a
    /// rebalance (KIP-345); nobody else serves them meanwhile.
    pub fn stop(&self) {
        self.wish.stop.store(true, Ordering::Release);
    }

    /// Asks it to leave the group for good, before it is stopped: what is open is committed, the partitions go to the
    /// other instances at once. [`Status::Left`] follows.
    pub fn leave(&self) {
        self.wish.leave.store(true, Ordering::Release);
    }

    /// Waits for the threads to end.
    pub fn join(mut self) {
        self.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a stream thread panicked");
            }
        }
    }
}

impl Drop for KafkaStreams {
    fn drop(&mut self) {
        self.stop();
        self.shares.owners().end();
    }
}

fn work(world: &World, run: fn(&World) -> Result<(), StreamsError>) {
    // A panic has printed its message; what is left is to say that nothing works here any more.
    let ended = catch_unwind(AssertUnwindSafe(|| run(world)));
    world.status.set(match ended {
        Err(_) => Status::Failed("the stream thread panicked".to_string()),
        Ok(Err(error)) if !world.wish.to_stop() => Status::Failed(error.to_string()),
        Ok(Ok(())) if !world.wish.to_stop() => Status::Left,
        Ok(_) => Status::Stopped,
    });
}

/// Joins the group, and joins it anew when client and broker have lost each other for good.
fn attempts(world: &World) -> Result<(), StreamsError> {
    let session_timeout = world.settings.session_timeout;
    let mut since_fenced: Option<Stopwatch> = None;
    // Who has come with other inputs than before is told its old partitions; only leaving helps, the first time at once.
    let mut patience = Duration::ZERO;
    loop {
        await_topics(world)?;
        await_globals(world);
        if world.wish.to_end() {
            return Ok(());
        }
        let ended = StreamThread::join(world.clone(), patience).and_then(StreamThread::run);
        let why = match &ended {
            _ if world.wish.to_stop() => return ended,
            Err(error @ StreamsError::Kafka(_)) => format!("the broker ({error})"),
            Err(error @ (StreamsError::Store(StoreError::Superseded(_)) | StreamsError::Incomplete(_))) => {
                error.to_string()
            }
            // A broker that stood still may take an instance for another one. Whoever is fenced again is not alone.
            Err(error @ StreamsError::Fenced)
                if since_fenced
                    .replace(Stopwatch::start())
                    .is_none_or(|since| since.elapsed() > 2 * session_timeout) =>
            {
                error.to_string()
            }
            _ => return ended,
        };
        if let Err(StreamsError::Incomplete(_)) = ended {
            patience = session_timeout;
        }
        tracing::warn!(cause = why, "the stream thread begins anew");
        world.status.set(Status::Waiting(why));
        thread::sleep(WAIT_INTERVAL);
    }
}

fn read_globals(world: &World) -> Result<(), StreamsError> {
    await_topics(world)?;
    global::follow(world)
}

/// Tasks look up what was there before they began.
fn await_globals(world: &World) {
    while !world.globals.are_restored() && !world.wish.to_end() {
        world.status.set(Status::Restoring("global tables".to_string()));
        thread::sleep(GLOBALS_INTERVAL);
    }
}

fn await_topics(world: &World) -> Result<(), StreamsError> {
    while !world.wish.to_end() {
        match topics::check(&world.settings, &world.graph) {
            Ok(()) => return Ok(()),
            Err(TopicsError::Different(what)) => return Err(StreamsError::Configuration(what)),
            Err(waiting) => world.status.set(Status::Waiting(waiting.to_string())),
        }
        thread::sleep(WAIT_INTERVAL);
    }
    Ok(())
}
