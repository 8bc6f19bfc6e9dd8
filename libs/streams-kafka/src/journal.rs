use std::sync::Arc;
use std::thread;
use std::time::Duration;

use avro_codec::{AvroRecord, EncodeError, Schemas};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, ProducerContext};
use rdkafka::{ClientContext, Message};
use streams::{Timestamp, Topic, subject};
use tokio::sync::oneshot;

use crate::Settings;
use crate::client_log::ClientLog;
use crate::headers::{PROCESSED_AT, TRACEPARENT};
use crate::producer::Outgoing;

/// Writes events from outside into Kafka (command sourcing): idempotent, acknowledged by all in-sync replicas.
///
/// A retry neither doubles nor reorders (`enable.idempotence`). When a write is not acknowledged within the timeout it
/// may still be in the log: the caller repeats it under the same key, and what reads the log ignores the repetition.
#[derive(Clone)]
pub struct Journal {
    producer: Arc<BaseProducer<Deliveries>>,
    settings: Settings,
    schemas: Schemas,
}

/// Hands each delivery report to the one who waits for it.
#[derive(Default)]
struct Deliveries(ClientLog);

/// Where a record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coordinates {
    /// The partition.
    pub partition: i32,
    /// The offset in it.
    pub offset: i64,
}

/// Why a record is not known to be written.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The broker did not acknowledge it in time; it may have been written.
    #[error("the broker did not acknowledge the record: {0}")]
    NotAcknowledged(KafkaError),
    /// The broker will not take it.
    #[error("the broker refuses the record: {0}")]
    Refused(KafkaError),
    /// The value does not fit its schema.
    #[error(transparent)]
    Unencodable(#[from] EncodeError),
}

impl Journal {
    /// A journal that gives up on a record after `timeout` (`message.timeout.ms`).
    ///
    /// # Errors
    /// The client cannot be created.
    pub fn new(settings: Settings, schemas: Schemas, timeout: Duration) -> Result<Self, KafkaError> {
        let mut config = settings.producer();
        config.set("message.timeout.ms", timeout.as_millis().to_string());
        let producer = Arc::new(config.create_with_context(Deliveries::default())?);
        serve(&producer)?;
        Ok(Self { producer, settings, schemas })
    }

    /// Appends an event; returns when it is acknowledged.
    ///
    /// `traceparent` is the W3C trace context that travels with the record through everything that follows from it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn append<V: AvroRecord>(
        &self,
        topic: &Topic<V>,
        value: &V,
        now: Timestamp,
        traceparent: Option<&str>,
    ) -> Result<Coordinates, JournalError> {
        let payload = self.schemas.encode(&subject(topic.name()), value)?;
        let key = topic.key(value);
        let name = self.settings.topic(topic.name());
        let processed_at = now.as_millis().to_string();
        let mut headers = OwnedHeaders::new().insert(Header { key: PROCESSED_AT, value: Some(&processed_at) });
        let mut span = self.settings.tracing.sending(&name, traceparent);
        if let Some(traceparent) = span.traceparent() {
            headers = headers.insert(Header { key: TRACEPARENT, value: Some(traceparent) });
        }
        let (key, topic) = (Some(key.as_bytes()), name.as_str());
        let timestamp = now.as_millis();
        let headers = Some(headers);
        let record = Outgoing { topic, partition: None, key, value: Some(&payload), timestamp, headers, mark: 0 };
        let written = self.write(record).await;
        match &written {
            Ok(at) => span.landed(*at),
            Err(error) => span.fail(error),
        }
        written
    }

    /// Appends a record as it is; returns when it is acknowledged.
    pub(crate) async fn write(&self, record: Outgoing<'_>) -> Result<Coordinates, JournalError> {
        let (deliver, delivered) = oneshot::channel();
        let mut outgoing = BaseRecord::<[u8], [u8], _>::with_opaque_to(record.topic, Box::new(deliver));
        outgoing.key = record.key;
        outgoing.payload = record.value;
        outgoing.timestamp = Some(record.timestamp);
        outgoing.headers = record.headers;
        self.producer.send(outgoing).map_err(|(error, _)| refused_or_lost(error))?;
        delivered.await.unwrap_or(Err(KafkaError::Canceled)).map_err(refused_or_lost)
    }
}

/// Serves delivery reports from a thread of its own, for as long as there is a journal. They are served as they come; the
/// length of a poll only says how often an idle thread wakes up.
fn serve(producer: &Arc<BaseProducer<Deliveries>>) -> Result<(), KafkaError> {
    const IDLE_POLL: Duration = Duration::from_secs(1);
    let producer = Arc::downgrade(producer);
    let poll = move || {
        while let Some(producer) = producer.upgrade() {
            producer.poll(IDLE_POLL);
        }
    };
    let spawned = thread::Builder::new().name("journal".to_string()).spawn(poll);
    spawned.map(drop).map_err(|error| KafkaError::ClientCreation(error.to_string()))
}

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<oneshot::Sender<Result<Coordinates, KafkaError>>>;

    fn delivery(&self, delivery: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let coordinates = match delivery {
            Ok(message) => Ok(Coordinates { partition: message.partition(), offset: message.offset() }),
            Err((error, _)) => Err(error.clone()),
        };
        // Who waited may have gone; the record is written all the same.
        let _ = waiting.send(coordinates);
    }
}

fn refused_or_lost(error: KafkaError) -> JournalError {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::InvalidTimestamp
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::TopicAuthorizationFailed,
        ) => JournalError::Refused(error),
        _ => JournalError::NotAcknowledged(error),
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("settings", &self.settings).finish_non_exhaustive()
    }
}
