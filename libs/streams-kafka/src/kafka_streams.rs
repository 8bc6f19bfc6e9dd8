use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use avro_codec::{AvroRecord, SchemaId, Schemas};
use streams::{Graph, Store};
use tokio::sync::watch;

use crate::thread::{StreamThread, World};
use crate::topics::{self, TopicsError};
use crate::view::{Shares, View};
use crate::{Settings, Status, StreamsError, metrics};

/// A topology at work: waits for what it needs, joins its group, restores its stores, processes exactly once, until it is
/// stopped.
#[derive(Debug)]
pub struct KafkaStreams {
    shares: Arc<Shares>,
    schemas: Schemas,
    status: watch::Receiver<Status>,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Between two looks for what is not there yet.
const WAIT_INTERVAL: Duration = Duration::from_millis(200);

impl KafkaStreams {
    /// Starts the stream thread. Returns at once; [`KafkaStreams::status`] tells how it goes.
    ///
    /// `schemas` must already be bound for every topic the graph writes. `resolve` asks for the schema of an id that
    /// turned up in a record; it returns at once, and the answer shows in `schemas`.
    pub fn start(
        graph: Arc<Graph>,
        settings: Settings,
        schemas: Schemas,
        resolve: impl Fn(SchemaId) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let shares = Arc::new(Shares::default());
        for sub_topology in graph.describe().sub_topologies {
            let topic = graph.inputs().find(|topic| sub_topology.sources.contains(&topic.name));
            let partitions = topic.map_or(streams::DEFAULT_PARTITIONS, |topic| topic.partitions);
            sub_topology.stores.keys().for_each(|store| shares.declare(store, partitions));
        }
        metrics::observe_waiters(graph.name(), shares.clone());
        let (sender, status) = watch::channel(Status::Waiting("the broker".to_string()));
        let is_stopping = Arc::new(AtomicBool::new(false));
        let name = format!("{}-streams", graph.name());
        let world = World {
            graph,
            settings,
            schemas: schemas.clone(),
            shares: shares.clone(),
            resolve: Arc::new(resolve),
            status: sender,
            is_stopping: is_stopping.clone(),
        };
        let thread = thread::Builder::new().name(name).spawn(move || work(&world))?;
        Ok(Self { shares, schemas, status, is_stopping, thread: Some(thread) })
    }

    /// Where it stands.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Reads committed state of one of its stores.
    pub fn view<S: AvroRecord>(&self, store: &Store<S>) -> View<S> {
        View::new(store, self.shares.clone(), self.schemas.clone())
    }

    /// Asks it to stop: what is open is committed, the partitions are given back. [`Status::Stopped`] follows.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    /// Waits for the thread to end.
    pub fn join(mut self) {
        self.stop();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the stream thread panicked");
        }
    }
}

impl Drop for KafkaStreams {
    fn drop(&mut self) {
        self.stop();
    }
}

fn work(world: &World) {
    // A panic has printed its message; what is left is to say that nothing works here any more.
    let ended = catch_unwind(AssertUnwindSafe(|| attempts(world)));
    let status = match ended {
        Err(_) => Status::Failed("the stream thread panicked".to_string()),
        Ok(Err(error)) if !world.is_stopping.load(Ordering::Acquire) => Status::Failed(error.to_string()),
        Ok(_) => Status::Stopped,
    };
    world.status.send_replace(status);
}

/// Joins the group, and joins it anew when client and broker have lost each other for good.
fn attempts(world: &World) -> Result<(), StreamsError> {
    loop {
        await_topics(world)?;
        if world.is_stopping.load(Ordering::Acquire) {
            return Ok(());
        }
        match StreamThread::join(world.clone()).and_then(StreamThread::run) {
            Err(StreamsError::Kafka(error)) if !world.is_stopping.load(Ordering::Acquire) => {
                tracing::warn!(%error, "the stream thread begins anew");
                world.status.send_replace(Status::Waiting(format!("the broker ({error})")));
                thread::sleep(WAIT_INTERVAL);
            }
            ended => return ended,
        }
    }
}

fn await_topics(world: &World) -> Result<(), StreamsError> {
    while !world.is_stopping.load(Ordering::Acquire) {
        match topics::check(&world.settings, &world.graph) {
            Ok(()) => return Ok(()),
            Err(TopicsError::Different(what)) => return Err(StreamsError::Configuration(what)),
            Err(waiting) => {
                let waiting = Status::Waiting(waiting.to_string());
                world.status.send_if_modified(|status| std::mem::replace(status, waiting.clone()) != waiting);
            }
        }
        thread::sleep(WAIT_INTERVAL);
    }
    Ok(())
}
