use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use avro_codec::registry::Resolver;
use avro_codec::{AvroRecord, Schemas, Status};
use axum::http::HeaderValue;
use opentelemetry::global;
use opentelemetry::metrics::Counter;
use streams::Store;
use streams_kafka::{EncodedView, KafkaStreams, Owner, ViewError, Watch};
use tokio::time::{sleep, timeout};

use crate::peers::{Answer, Peers};

/// Reads the committed state of a store, whichever instance of the service serves it, and waits for it to change: the
/// reading side of a blocking read.
///
/// What this instance serves is read here. For the rest the owner of the partition is asked, over and over, and whoever
/// owns it next: that a partition changes hands, or that its owner dies while it is asked, costs time but is no error.
pub struct View<S> {
    local: EncodedView,
    reader: Reader,
    store: String,
    value: PhantomData<fn() -> S>,
}

/// What all views of a process share.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    streams: Arc<KafkaStreams>,
    schemas: Schemas,
    resolver: Resolver,
    peers: Peers,
    forwarded: Counter<u64>,
    retries: Counter<u64>,
}

/// What was found where the key is served.
enum Found {
    /// By this instance.
    Here(Option<Vec<u8>>),
    /// By another.
    There(Answer),
}

/// For how long another instance is asked to wait at a time. Whether it still is the owner is looked at in between.
const SLICE: Duration = Duration::from_secs(2);

/// How long a read that does not wait looks for somebody who serves the key.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two attempts to find out who serves a key, unless there is news: at first, and after many.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Between two looks whether the registry has told a schema.
const SCHEMA_INTERVAL: Duration = Duration::from_millis(20);

impl<S: AvroRecord> View<S> {
    /// The committed value of `key`.
    ///
    /// # Errors
    /// [`ViewError::NotServed`] if nobody serves the key for a second, such as in a rebalance.
    pub async fn get(&self, key: &str) -> Result<Option<S>, ViewError> {
        let read = async {
            let found = self.find(&mut self.local.watch(key), key, None, Duration::ZERO).await?;
            self.decoded(found).await
        };
        timeout(PATIENCE, read).await.unwrap_or(Err(ViewError::NotServed))
    }

    /// Waits until `choose` accepts the committed value of `key`. The caller sets the deadline by dropping the future.
    ///
    /// No commit is missed, here or elsewhere; a partition that nobody serves yet is waited for like a value.
    ///
    /// # Errors
    /// [`ViewError`], but not [`ViewError::NotServed`].
    pub async fn wait_for<R>(&self, key: &str, mut choose: impl FnMut(S) -> Option<R>) -> Result<R, ViewError> {
        let mut watch = self.local.watch(key);
        let mut refused = None;
        loop {
            let found = self.find(&mut watch, key, refused.as_ref(), SLICE).await?;
            let is_here = matches!(found, Found::Here(_));
            if let Found::There(Answer::Value { tag, .. }) = &found {
                refused = Some(tag.clone());
            }
            if let Some(value) = self.decoded(found).await?
                && let Some(chosen) = choose(value)
            {
                return Ok(chosen);
            }
            if is_here {
                watch.changed().await;
            }
        }
    }

    /// Reads where the key is served, as soon as somebody serves it.
    async fn find(
        &self,
        watch: &mut Watch,
        key: &str,
        known: Option<&HeaderValue>,
        wait: Duration,
    ) -> Result<Found, ViewError> {
        let mut pause = FIRST_PAUSE;
        loop {
            watch.look();
            match self.local.get(key) {
                Err(ViewError::NotServed) => {}
                read => return read.map(Found::Here),
            }
            if let Owner::There(url) = self.local.owner(key) {
                let asked = self.reader.ask(&url, &self.store, key, known, wait);
                tokio::select! {
                    answer = asked => match answer {
                        Some(answer) => return Ok(Found::There(answer)),
                        None => self.local.ask(),
                    },
                    // Somebody else may serve it now.
                    () = watch.changed() => continue,
                }
            } else {
                self.local.ask();
            }
            if timeout(pause, watch.changed()).await.is_err() {
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    async fn decoded(&self, found: Found) -> Result<Option<S>, ViewError> {
        let bytes = match found {
            Found::Here(Some(bytes)) => bytes.into(),
            Found::There(Answer::Value { bytes, .. }) => bytes,
            Found::Here(None) | Found::There(Answer::NothingNew) => return Ok(None),
        };
        // Another instance may be of a later version, and write with schemas that nobody has met here.
        while let Status::Unresolved(id) = self.reader.schemas.status(&bytes) {
            self.reader.resolver.request(id);
            sleep(SCHEMA_INTERVAL).await;
        }
        self.reader.schemas.decode(&bytes).map(Some).map_err(|error| ViewError::Undecodable(error.to_string()))
    }
}

impl Reader {
    pub(crate) fn new(streams: Arc<KafkaStreams>, schemas: Schemas, resolver: Resolver) -> Self {
        let meter = global::meter("service-kit");
        let forwarded = meter.u64_counter("view_forwarded_reads");
        let retries = meter.u64_counter("view_owner_retries");
        Self {
            streams,
            schemas,
            resolver,
            peers: Peers::new(),
            forwarded: forwarded.with_description("Questions to other instances for keys that they serve").build(),
            retries: retries.with_description("Questions to other instances that were not answered").build(),
        }
    }

    pub(crate) fn streams(&self) -> &Arc<KafkaStreams> {
        &self.streams
    }

    /// A view of a store; nothing if the topology has no such store.
    pub(crate) fn view<S>(&self, store: &Store<S>) -> Option<View<S>> {
        let (local, store) = (self.streams.encoded_view(store.name())?, store.name().to_owned());
        Some(View { local, reader: self.clone(), store, value: PhantomData })
    }

    async fn ask(
        &self,
        url: &str,
        store: &str,
        key: &str,
        known: Option<&HeaderValue>,
        wait: Duration,
    ) -> Option<Answer> {
        self.forwarded.add(1, &[]);
        match self.peers.ask(url, store, key, known, wait).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.retries.add(1, &[]);
                tracing::debug!(url, %error, "another instance does not answer");
                None
            }
        }
    }
}

impl<S> Clone for View<S> {
    fn clone(&self) -> Self {
        Self { local: self.local.clone(), reader: self.reader.clone(), store: self.store.clone(), value: PhantomData }
    }
}

impl<S> fmt::Debug for View<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("store", &self.store).finish_non_exhaustive()
    }
}
