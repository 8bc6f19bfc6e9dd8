use std::borrow::Cow;
use std::time::Duration;

use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};

use crate::graph::dead_letters;

/// A typed topic: what it is called, how the key of a record follows from its value, how long it is kept, who writes it.
///
/// Declared once, as a constant, where all services that speak of it can see it. The key is a function of the value, so
/// that no record can be written under a wrong one.
#[derive(Debug)]
pub struct Topic<V: 'static> {
    pub(crate) name: Cow<'static, str>,
    pub(crate) key: fn(&V) -> String,
    partitions: i32,
    cleanup: Cleanup,
    writer: Cow<'static, str>,
    visibility: Visibility,
}

/// How long the broker keeps the records of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cleanup {
    /// Never deleted: a log of facts.
    Forever,
    /// The last record of each key is kept (`cleanup.policy=compact`).
    Compacted,
    /// Deleted after the given time.
    Retained {
        /// `retention.ms`.
        retention_ms: u64,
    },
    /// Kept until its only reader has committed past it, then purged by DeleteRecords (repartition topics).
    Purged,
}

/// Who may read a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// A contract: anyone may read it, its schema changes compatibly.
    Public,
    /// A detail of the service that writes it.
    Private,
}

/// A topic without its Rust type, as the topic step, the schema step and documents want it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopicDeclaration {
    /// Name of the topic.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// How long records are kept.
    pub cleanup: Cleanup,
    /// The one service that writes it.
    pub writer: String,
    /// Who may read it.
    pub visibility: Visibility,
    /// Text of the Avro schema of the value, registered under `<name>-value`; none where the bytes are somebody else's
    /// (dead letters).
    pub schema: Option<String>,
}

impl TopicDeclaration {
    /// Where a service puts what it cannot handle: kept for 30 days, with the bytes that were not understood.
    pub fn dead_letters(service: &str) -> Self {
        Self {
            name: dead_letters(service),
            partitions: 1,
            cleanup: Cleanup::Retained { retention_ms: 30 * 24 * 60 * 60 * 1000 },
            writer: service.to_string(),
            visibility: Visibility::Private,
            schema: None,
        }
    }
}

/// Partitions of a topic unless it says otherwise.
pub const DEFAULT_PARTITIONS: i32 = 4;

impl<V> Topic<V> {
    /// A public topic that is kept for ever, with [`DEFAULT_PARTITIONS`] partitions.
    pub const fn new(name: &'static str, writer: &'static str, key: fn(&V) -> String) -> Self {
        Self {
            name: Cow::Borrowed(name),
            key,
            partitions: DEFAULT_PARTITIONS,
            cleanup: Cleanup::Forever,
            writer: Cow::Borrowed(writer),
            visibility: Visibility::Public,
        }
    }

    /// A public topic whose name is made at run time, one of a family such as `<prefix>-<check>`.
    pub const fn named(name: String, writer: String, key: fn(&V) -> String) -> Self {
        Self {
            name: Cow::Owned(name),
            key,
            partitions: DEFAULT_PARTITIONS,
            cleanup: Cleanup::Forever,
            writer: Cow::Owned(writer),
            visibility: Visibility::Public,
        }
    }

    /// Keeps the last record of each key.
    #[must_use]
    pub const fn compacted(mut self) -> Self {
        self.cleanup = Cleanup::Compacted;
        self
    }

    /// Deletes records after `retention`.
    #[must_use]
    pub const fn kept_for(mut self, retention: Duration) -> Self {
        self.cleanup = Cleanup::Retained { retention_ms: retention.as_secs() * 1000 };
        self
    }

    /// Keeps records until their only reader has committed past them.
    #[must_use]
    pub(crate) const fn purged(mut self) -> Self {
        self.cleanup = Cleanup::Purged;
        self
    }

    /// Makes the topic a detail of its writer.
    #[must_use]
    pub const fn private(mut self) -> Self {
        self.visibility = Visibility::Private;
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key of a record with this value.
    pub fn key(&self, value: &V) -> String {
        (self.key)(value)
    }
}

impl<V: AvroRecord> Topic<V> {
    /// The declaration without the Rust type.
    pub fn declaration(&self) -> TopicDeclaration {
        TopicDeclaration {
            name: self.name.to_string(),
            partitions: self.partitions,
            cleanup: self.cleanup,
            writer: self.writer.to_string(),
            visibility: self.visibility,
            schema: Some(V::schema()),
        }
    }
}

/// The subject a topic's value schema is registered under (Confluent's TopicNameStrategy).
pub fn subject(topic: &str) -> String {
    format!("{topic}-value")
}
