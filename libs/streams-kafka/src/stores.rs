use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use streams::{GlobalTables, Graph, MemoryStore, StateStore, StoreError, Task, TaskId};

use crate::assigned::Assigned;
use crate::clock::wall_clock;
use crate::disk::{Identity, StateDirectory};
use crate::producer::TransactionalProducer;
use crate::topics::{self, TopicsError};
use crate::world::World;
use crate::{Settings, StreamsError};

/// Gives a task its stores, in memory or on disk.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    /// None: in memory.
    pub(crate) directory: Option<Arc<StateDirectory>>,
    /// `cluster.id` of the brokers.
    pub(crate) cluster: String,
    /// How long the changelogs remember what was removed (`delete.retention.ms`).
    pub(crate) retention: Duration,
    /// What all tasks may look up.
    pub(crate) globals: Arc<GlobalTables>,
}

/// Tasks of partitions that were revoked. Most come back with the next assignment, and go on where they were.
#[derive(Debug, Default)]
pub(crate) struct Suspended(Mutex<BTreeMap<TaskId, SuspendedTask>>);

#[derive(Debug)]
pub(crate) struct SuspendedTask {
    pub(crate) task: Task,
    /// Its stores were restored, and its timers stand.
    pub(crate) is_restored: bool,
    thread: usize,
}

impl Stores {
    /// The stores of a process, as far as they have to do with its brokers.
    pub(crate) fn of(world: &World, producer: &TransactionalProducer) -> Result<Self, StreamsError> {
        let World { graph, settings, directory, .. } = world;
        let globals = world.globals.tables.clone();
        if directory.is_none() {
            return Ok(Self { directory: None, cluster: String::new(), retention: Duration::MAX, globals });
        }
        let timed_out = KafkaError::Global(RDKafkaErrorCode::OperationTimedOut);
        let cluster = producer.cluster_id().ok_or_else(|| timed_out.clone())?;
        let retention = topics::removals_kept_for(settings, graph).map_err(|error| match error {
            TopicsError::Different(what) => StreamsError::Configuration(what),
            TopicsError::Missing(_) | TopicsError::Unavailable { .. } => {
                tracing::warn!(%error, "the settings of the changelogs cannot be read");
                timed_out.into()
            }
        })?;
        Ok(Self { directory: directory.clone(), cluster, retention, globals })
    }

    /// The stores of a task. What is on disk and of no use is thrown away, and the log says why.
    pub(crate) fn open(
        &self,
        settings: &Settings,
        graph: &Graph,
        id: TaskId,
    ) -> Result<Vec<Arc<dyn StateStore>>, StoreError> {
        let restorations = Task::restorations_of(graph, id);
        let Some(directory) = &self.directory else {
            return Ok(restorations.iter().map(|_| Arc::new(MemoryStore::default()) as _).collect());
        };
        let partitions = graph.partitions(id.sub_topology);
        let open = |restoration: &streams::Restoration| {
            let identity = Identity {
                cluster: self.cluster.clone(),
                changelog: settings.topic(&restoration.topic),
                partitions,
                retention: self.retention,
            };
            let opened = directory.share(&restoration.store, id.partition, &identity, wall_clock())?;
            if let Some(why) = opened.discarded {
                tracing::warn!(task = %id, store = restoration.store, "local state is restored in full: {why}");
            }
            Ok(opened.store)
        };
        restorations.iter().map(open).collect()
    }
}

impl Suspended {
    pub(crate) fn put(&self, thread: usize, assigned: Assigned) {
        let (task, is_restored) = assigned.suspended();
        self.tasks().insert(task.id(), SuspendedTask { task, is_restored, thread });
    }

    pub(crate) fn take(&self, id: TaskId) -> Option<SuspendedTask> {
        self.tasks().remove(&id)
    }

    /// Closes the tasks that this thread had and nobody here has taken since: they are another instance's now.
    pub(crate) fn close(&self, thread: usize) {
        self.tasks().retain(|_, suspended| suspended.thread != thread);
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<TaskId, SuspendedTask>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
