use std::sync::Arc;

use avro_codec::{AvroRecord, Schemas};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, OwnedMessage};
use streams::{Refusal, Timestamp};

use crate::headers::{TRACEPARENT, header, processed_at};
use crate::spans::{GroupSpans, RecordSpan, trace_id};

/// One partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic, without the prefix it has on the broker.
    pub topic: Arc<str>,
    /// The number of the partition.
    pub partition: i32,
}

/// One record on its way out.
#[derive(Clone, Debug)]
pub struct SinkRecord {
    source: TopicPartition,
    schemas: Schemas,
    spans: GroupSpans,
    pub(super) message: OwnedMessage,
}

impl SinkRecord {
    pub(super) fn new(topic: Arc<str>, message: &BorrowedMessage<'_>, schemas: &Schemas, spans: &GroupSpans) -> Self {
        let source = TopicPartition { topic, partition: message.partition() };
        Self { source, schemas: schemas.clone(), spans: spans.clone(), message: message.detach() }
    }

    /// Where it was read.
    pub fn source(&self) -> &TopicPartition {
        &self.source
    }

    /// Its offset there. Partition and offset are its identity: equal ones count once.
    pub fn offset(&self) -> i64 {
        self.message.offset()
    }

    /// How many bytes its key and value have.
    pub fn size(&self) -> usize {
        self.message.key().map_or(0, <[u8]>::len) + self.message.payload().map_or(0, <[u8]>::len)
    }

    /// Its event time.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp(self.message.timestamp().to_millis().unwrap_or(0))
    }

    /// Its key, as text.
    ///
    /// # Errors
    /// It has none, or it is not UTF-8.
    pub fn key(&self) -> Result<&str, Refusal> {
        let key = self.message.key().ok_or(Refusal::NoKey)?;
        std::str::from_utf8(key).map_err(|_| Refusal::KeyNotUtf8)
    }

    /// Whether it is a tombstone, which in a compacted topic removes its key.
    pub fn is_tombstone(&self) -> bool {
        self.message.payload().is_none()
    }

    /// Its value.
    ///
    /// # Errors
    /// It has none, or cannot be decoded: a record for the dead letters.
    pub fn value<V: AvroRecord>(&self) -> Result<V, Refusal> {
        let bytes = self.message.payload().ok_or(Refusal::NoValue)?;
        self.schemas.decode(bytes).map_err(|error| Refusal::Undecodable(error.to_string()))
    }

    /// When it was really written, by the clock on the wall; none, if it does not say so.
    pub fn processed_at(&self) -> Option<Timestamp> {
        processed_at(&self.message)
    }

    /// The W3C trace context of the request it follows from.
    pub fn traceparent(&self) -> Option<&str> {
        header(&self.message, TRACEPARENT)
    }

    /// The id of its trace, as log lines name it.
    pub fn trace_id(&self) -> Option<&str> {
        trace_id(self.traceparent()?)
    }

    /// A span of its processing, which begins now. What is dropped when its effect is true shows how long that took.
    pub fn processing(&self) -> RecordSpan {
        self.spans.processing(&self.message)
    }

    /// A span of a call to somebody outside for its sake, which begins now.
    pub fn calling(&self, name: &'static str) -> RecordSpan {
        self.spans.calling(name, &self.message)
    }
}
