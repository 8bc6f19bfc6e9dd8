use std::sync::Arc;

use avro_codec::AvroRecord;
use axum::http::HeaderMap;
use streams::{Store, Topic};
use streams_kafka::Journal;
use tokio_util::sync::CancellationToken;

use crate::Gateway;
use crate::http::{Problem, idempotency_key};
use crate::view::{Reader, View};
use crate::world::{self, Clock};

/// What a router or a task is built from: the world it lives in, as values.
#[derive(Debug)]
pub struct Context<O> {
    pub(crate) service: &'static str,
    pub(crate) options: Arc<O>,
    pub(crate) reader: Option<Reader>,
    pub(crate) journal: Option<Journal>,
    pub(crate) stopping: CancellationToken,
}

impl<O> Context<O> {
    /// The service's own options.
    pub fn options(&self) -> &Arc<O> {
        &self.options
    }

    /// The clock on the wall.
    pub fn clock(&self) -> Clock {
        world::now
    }

    /// An id that nobody else has: a UUIDv7, so that ids sort by the time they were made.
    pub fn new_id(&self) -> String {
        world::new_id()
    }

    /// The id of what a request makes, if the client gives none: derived from its `Idempotency-Key` (a UUIDv5, always the
    /// same within this service), else a [new one](Self::new_id).
    ///
    /// # Errors
    /// 400 where the key is [none](idempotency_key).
    pub fn id_for(&self, headers: &HeaderMap) -> Result<String, Problem> {
        let derived = |key: String| world::derived_id(self.service, &key);
        Ok(idempotency_key(headers)?.map_or_else(world::new_id, derived))
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
        Gateway::new(self.journal().clone(), commands, self.view(decisions))
    }

    /// Where what happens outside is written first.
    ///
    /// # Panics
    /// The service has not said what it [journals](crate::Service::journals).
    pub fn journal(&self) -> &Journal {
        self.journal.as_ref().expect("a service says what it journals before it does")
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
            options: self.options.clone(),
            reader: self.reader.clone(),
            journal: self.journal.clone(),
            stopping: self.stopping.clone(),
        }
    }
}
