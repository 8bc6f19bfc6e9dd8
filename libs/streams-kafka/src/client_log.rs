use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::clock::Stopwatch;

/// Says what the client library reports, but not a thousand times a second, which is how often it reports that a broker
/// is away.
#[derive(Debug, Default)]
pub(crate) struct ClientLog {
    last: Mutex<Option<Stopwatch>>,
}

const INTERVAL: Duration = Duration::from_secs(5);

impl ClientLog {
    /// Reports an error, unless another was reported a moment ago. That a partition has been read to its end is none.
    pub(crate) fn error(&self, error: &KafkaError, reason: &str) {
        if matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() > INTERVAL) {
            *last = Some(Stopwatch::start());
            tracing::warn!(%error, reason, "the Kafka client reports trouble");
        }
    }
}

/// Of a client that has nothing else to tell.
impl ClientContext for ClientLog {
    fn error(&self, error: KafkaError, reason: &str) {
        Self::error(self, &error, reason);
    }
}

impl ConsumerContext for ClientLog {}
