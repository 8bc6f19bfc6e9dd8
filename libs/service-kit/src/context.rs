use std::sync::{Arc, Mutex, PoisonError};

use avro_codec::AvroRecord;
use streams::Store;
use streams_kafka::{Journal, Sink};
use tokio_util::sync::CancellationToken;

use crate::readiness::Readiness;
use crate::view::{Reader, View};
use crate::world::{self, Clock};

/// What a router or a task is built from: the world it lives in, as values.
#[derive(Debug)]
pub struct Context<O> {
    pub(crate) service: &'static str,
    pub(crate) instance: u32,
    pub(crate) options: Arc<O>,
    pub(crate) reader: Option<Reader>,
    pub(crate) journal: Option<Journal>,
    pub(crate) sink: Arc<Mutex<Option<Sink>>>,
    pub(crate) readiness: Readiness,
    pub(crate) stopping: CancellationToken,
}

impl<O> Context<O> {
    /// The service's own options.
    pub fn options(&self) -> &Arc<O> {
        &self.options
    }

    /// The number of the slot this instance runs in.
    pub fn instance(&self) -> u32 {
        self.instance
    }

    /// The clock on the wall.
    pub fn clock(&self) -> Clock {
        world::now
    }

    /// An id that nobody else has: a UUIDv7, so that ids sort by the time they were made.
    pub fn new_id(&self) -> String {
        world::new_id()
    }

    /// The id that belongs to a key the client chose, such as its `Idempotency-Key`: always the same within this service,
    /// a UUIDv5.
    pub fn id_for(&self, key: &str) -> String {
        world::derived_id(self.service, key)
    }

    /// The committed state of a store of the service's topology, with blocking reads, of all its instances.
    ///
    /// # Panics
    /// The topology has no such store.
    pub fn view<S: AvroRecord>(&self, store: &Store<S>) -> View<S> {
        let view = self.reader.as_ref().and_then(|reader| reader.view(store));
        view.expect("only the stores of the service's own topology can be viewed")
    }

    /// Where what happens outside is written first.
    ///
    /// # Panics
    /// The service has not said what it [journals](crate::Service::journals).
    pub fn journal(&self) -> &Journal {
        self.journal.as_ref().expect("a service says what it journals before it does")
    }

    /// The records on their way out of Kafka, for the one task that takes them.
    ///
    /// # Panics
    /// Another task has it, or the service has not said what it [sinks](crate::Service::sinks).
    pub fn sink(&self) -> Sink {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner).take();
        sink.expect("a service says what it sinks, and one task takes it")
    }

    /// Makes the process not ready because of `what`, such as a database that does not answer, until it has
    /// [arrived](Self::arrived). Each new reason is logged once.
    pub fn awaiting(&self, what: &'static str, reason: impl Into<String>) {
        self.readiness.awaiting(what, reason);
    }

    /// Notes that `what` is there.
    pub fn arrived(&self, what: &'static str) {
        self.readiness.arrived(what);
    }

    /// Is cancelled when the process begins to stop; a task ends soon after.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }
}

// Derived, it would ask the options to be Clone, which nobody needs.
impl<O> Clone for Context<O> {
    fn clone(&self) -> Self {
        Self {
            service: self.service,
            instance: self.instance,
            options: self.options.clone(),
            reader: self.reader.clone(),
            journal: self.journal.clone(),
            sink: self.sink.clone(),
            readiness: self.readiness.clone(),
            stopping: self.stopping.clone(),
        }
    }
}
