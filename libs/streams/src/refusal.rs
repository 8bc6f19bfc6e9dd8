use crate::state::{MAX_KEY_BYTES, StoreError};

/// Why a record could not be handled. It belongs into the dead letters; the records behind it go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Keys are UTF-8 strings.
    #[error("the record has no key")]
    NoKey,
    /// Keys are UTF-8 strings.
    #[error("the key is not UTF-8")]
    KeyNotUtf8,
    /// Only a table takes a record without a value, as a removal.
    #[error("the record has no value")]
    NoValue,
    /// A store that is a topic holds each value under the key the topic derives from it.
    #[error("store `{store}` is a topic, where the value has the key `{derived}`, not `{key}`")]
    WrongKey {
        /// The store.
        store: String,
        /// The key a handler gave.
        key: String,
        /// The key of the value.
        derived: String,
    },
    /// The value is not what its topic says.
    #[error("the value cannot be decoded: {0}")]
    Undecodable(String),
    /// A stored value cannot be read.
    #[error("the state of the key in store `{store}` cannot be decoded: {cause}")]
    State {
        /// The store.
        store: String,
        /// What is wrong with the bytes.
        cause: String,
    },
    /// A handler's value does not fit its schema.
    #[error("a value for `{subject}` cannot be encoded: {cause}")]
    Unencodable {
        /// The subject of the schema.
        subject: String,
        /// What does not fit.
        cause: String,
    },
    /// The broker would refuse the record, and the transaction with it.
    #[error("a record of {bytes} bytes for `{topic}` is over the limit of {limit} bytes")]
    TooLarge {
        /// Where it was to go: a topic, or a store's changelog.
        topic: String,
        /// Key and value.
        bytes: usize,
        /// What may be sent.
        limit: usize,
    },
    /// A store on disk could not hold the key.
    #[error("a key of {bytes} bytes is too long for store `{store}`, which takes {MAX_KEY_BYTES}")]
    KeyTooLong {
        /// The store.
        store: String,
        /// The key alone.
        bytes: usize,
    },
    /// A record that another one of its join could only have met before.
    #[error("the record came after its window and the grace of the join `{0}` had passed")]
    Late(String),
    /// The service itself has given the record up: why.
    #[error("{0}")]
    GivenUp(&'static str),
    /// A record goes to one of the topics that were declared.
    #[error("no topic is declared for {0}")]
    NoRoute(String),
    /// Kafka refuses timestamps more than an hour ahead (`message.timestamp.after.max.ms`).
    #[error("the timestamp {0} of a record is too far in the future for the broker")]
    Future(i64),
    /// A handler panicked.
    #[error("the handler panicked: {0}")]
    Panicked(String),
    /// The store does not answer. This is no fault of the record: whoever runs the topology has to stop.
    #[error("the store is broken: {0}")]
    Broken(#[from] StoreError),
}

impl Refusal {
    /// A few words that are the same for all records of one kind, as a metric wants them.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoKey => "no key",
            Self::KeyNotUtf8 => "key not UTF-8",
            Self::NoValue => "no value",
            Self::WrongKey { .. } => "wrong key",
            Self::Undecodable(_) => "undecodable",
            Self::State { .. } => "undecodable state",
            Self::Unencodable { .. } => "unencodable",
            Self::TooLarge { .. } => "too large",
            Self::KeyTooLong { .. } => "key too long",
            Self::Late(_) => "late",
            Self::GivenUp(why) => why,
            Self::NoRoute(_) => "no route",
            Self::Future(_) => "future",
            Self::Panicked(_) => "panicked",
            Self::Broken(_) => "broken",
        }
    }
}
