use std::fmt;

use rdkafka::error::KafkaError;

/// Where a running topology stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Something it needs is not there yet: what, and since when it matters.
    Waiting(String),
    /// Reads its stores back from their changelogs.
    Restoring(String),
    /// Processes records.
    Running,
    /// Ended as it was asked to.
    Stopped,
    /// Ended because it could not go on: why, and what to do about it.
    Failed(String),
}

/// What ends a topology. Everything else is mended where it happens.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamsError {
    /// The topology itself is wrong.
    #[error("the topology is wrong: {0}")]
    Topology(#[from] streams::TopologyError),
    /// A topic exists but is not what was declared.
    #[error("{0}")]
    Configuration(String),
    /// The client library refuses to go on.
    #[error("the Kafka client cannot go on: {0}")]
    Kafka(#[from] KafkaError),
    /// A restored value cannot be read.
    #[error("the store cannot be restored: {0}")]
    State(String),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting(why) => write!(f, "waiting: {why}"),
            Self::Restoring(what) => write!(f, "restoring: {what}"),
            Self::Running => f.write_str("running"),
            Self::Stopped => f.write_str("stopped"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}
