use std::sync::{Arc, Mutex, PoisonError};

use avro_codec::AvroRecord;
use streams::{Store, Topic};
use streams_kafka::{Browser, Journal, Sink};
use tokio_util::sync::CancellationToken;

use crate::Gateway;
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
    pub(crate) replay: Arc<Mutex<Option<Sink>>>,
    pub(crate) browser: Option<Browser>,
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

    /// The committed state of a store of the service's topology, with blocking reads, of all its instances.
    ///
    /// # Panics
    /// The topology has no such store.
    pub fn view<S: AvroRecord>(&self, store: &Store<S>) -> View<S> {
        let view = self.reader.as_ref().and_then(|reader| reader.view(store));
        view.expect("only the stores of the service's own topology can be viewed")
    }

    /// A gateway for the commands of one topic, with the store in which the topology keeps what became of them.
    ///
    /// # Panics
    /// As [`view`](Self::view) and [`journal`](Self::journal).
    pub fn gateway<C: AvroRecord, S: AvroRecord>(
        &self,
        commands: &'static Topic<C>,
        decisions: &Store<S>,
    ) -> Gateway<C, S> {
        Gateway::new(self.service, self.journal().clone(), commands, self.view(decisions))
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

    /// All that the service [sinks](crate::Service::sinks), from the beginning of the log or wherever it is to begin, in no
    /// group ([`Sink::replay`]): for a [command](crate::Service::command).
    ///
    /// # Panics
    /// It was taken before, or this is no command.
    pub fn replay(&self) -> Sink {
        let replay = self.replay.lock().unwrap_or_else(PoisonError::into_inner).take();
        replay.expect("only a command replays, once")
    }

    /// Looks at all topics and groups. Its calls block, so that a handler makes them with `spawn_blocking`; their errors are
    /// [problems](crate::http::Problem).
    ///
    /// # Panics
    /// The service has not said that it [browses](crate::Service::browses).
    pub fn browser(&self) -> Browser {
        self.browser.clone().expect("a service says that it browses before it does")
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
            replay: self.replay.clone(),
            browser: self.browser.clone(),
            readiness: self.readiness.clone(),
            stopping: self.stopping.clone(),
        }
    }
}
