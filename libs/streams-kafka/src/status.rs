use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use streams::StoreError;
use tokio::sync::watch;

/// Where a running topology stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Something it needs is not there yet: what, and since when it matters.
    Waiting(String),
    /// Reads its stores back from their changelogs.
    Restoring(String),
    /// Processes records; partitions that came later may still be restored.
    Running,
    /// Has given its partitions to the other instances, and takes no more.
    Left,
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
    /// Another member of the group has this instance's slot.
    #[error("another process has joined the group in this instance's slot: give every instance its own --instance")]
    Fenced,
    /// The partitions assigned do not make whole tasks.
    #[error("{0}")]
    Incomplete(String),
    /// The client library refuses to go on.
    #[error("the Kafka client cannot go on: {0}")]
    Kafka(#[from] KafkaError),
    /// A store does not answer, or holds what cannot be read.
    #[error("a store cannot be used: {0}")]
    Store(#[from] StoreError),
}

impl StreamsError {
    /// What no retry will mend, with what an operator has to do.
    pub(crate) fn denied(error: &KafkaError) -> Self {
        if let KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId) = error {
            return Self::Fenced;
        }
        Self::Configuration(match error {
            KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset) => {
                "a committed offset is no longer in the log (records were deleted before they were read): decide where to \
                 go on and set the group's offsets with kafka-consumer-groups --reset-offsets"
                    .to_string()
            }
            KafkaError::MessageConsumption(
                code @ (RDKafkaErrorCode::BadCompression
                | RDKafkaErrorCode::BadMessage
                | RDKafkaErrorCode::NotImplemented),
            ) => format!("an input holds a batch that cannot be unpacked ({code}): look at what writes it"),
            error => format!("the broker does not allow what the service does: {error}"),
        })
    }
}

/// Where one stream thread stands; what the whole process says follows from all of them.
#[derive(Clone, Debug)]
pub(crate) struct ThreadStatus {
    thread: usize,
    all: Arc<Mutex<Vec<Status>>>,
    overall: watch::Sender<Status>,
}

impl ThreadStatus {
    /// One for each thread, and what they say together: the status of the one that is furthest from running.
    pub(crate) fn of_threads(count: usize) -> (Vec<Self>, watch::Receiver<Status>) {
        let waiting = Status::Waiting("the broker".to_string());
        let (overall, receiver) = watch::channel(waiting.clone());
        let all = Arc::new(Mutex::new(vec![waiting; count]));
        let of_thread = |thread| Self { thread, all: all.clone(), overall: overall.clone() };
        ((0..count).map(of_thread).collect(), receiver)
    }

    pub(crate) fn set(&self, status: Status) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all[self.thread] = status;
        let overall = all.iter().max_by_key(|status| status.gravity()).expect("there is a thread").clone();
        self.overall.send_if_modified(|before| std::mem::replace(before, overall.clone()) != overall);
    }
}

impl Status {
    fn gravity(&self) -> u8 {
        match self {
            Self::Stopped => 0,
            Self::Left => 1,
            Self::Running => 2,
            Self::Restoring(_) => 3,
            Self::Waiting(_) => 4,
            Self::Failed(_) => 5,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting(why) => write!(f, "waiting: {why}"),
            Self::Restoring(what) => write!(f, "restoring: {what}"),
            Self::Running => f.write_str("running"),
            Self::Left => f.write_str("left its group"),
            Self::Stopped => f.write_str("stopped"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}
