use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use avro_codec::Schemas;
use rdkafka::error::KafkaError;
use streams::TopicDeclaration;

use super::SinkRecord;
use crate::clock::wall_clock;
use crate::metrics::Metrics;
use crate::outgoing::dead_letter;
use crate::{Journal, JournalError, Settings};

/// Where a sink puts the records that it gives up on: original bytes and headers, with the cause and the coordinates.
///
/// A record whose position has not moved when the process dies is put there once more: equal coordinates count once.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    journal: Journal,
    topic: String,
    metrics: Arc<Metrics>,
}

/// `message.timeout.ms` of one attempt.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

impl DeadLetters {
    pub(super) fn new(settings: &Settings, schemas: &Schemas, service: &str) -> Result<Self, KafkaError> {
        let topic = settings.topic(&TopicDeclaration::dead_letters(service).name);
        let journal = Journal::new(settings.clone(), schemas.clone(), TIMEOUT)?;
        Ok(Self { journal, topic, metrics: Arc::new(Metrics::new(service)) })
    }

    /// Puts a record aside. When this returns it is acknowledged, and the position may move past it; while the broker is
    /// away, it does not return.
    ///
    /// # Errors
    /// The broker will never take it.
    pub async fn put(&self, record: &SinkRecord, cause: &(dyn Display + Sync)) -> Result<(), JournalError> {
        let source = record.source();
        let (topic, partition, offset) = (&*source.topic, source.partition, record.offset());
        let trace_id = record.trace_id();
        tracing::warn!(topic, partition, offset, trace_id, %cause, "a record goes to the dead letters");
        loop {
            let letter = dead_letter(&self.topic, &record.message, cause, wall_clock());
            match self.journal.write(letter).await {
                Ok(_) => break,
                Err(error @ JournalError::NotAcknowledged(_)) => {
                    tracing::warn!(%error, "a dead letter is sent again");
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
                Err(error) => return Err(error),
            }
        }
        self.metrics.dead_letters.add(1, &self.metrics.labels_with("cause", "given up by the sink"));
        Ok(())
    }
}
