//! Looks at topics and groups without being a member of any, for people who want to see what is there.
//!
//! Names are those without the prefix of the system; topics and groups that do not have it, and the broker's own topics,
//! are not seen. Only what is committed counts: of an open transaction nothing is shown, and partitions end before it.
//!
//! All calls block, for 5 s at most; whoever looks from inside a runtime does it with `spawn_blocking`.

mod groups;
mod offsets;
mod page;
mod readers;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use avro_codec::{SchemaId, Schemas, Status as SchemaStatus};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use serde_json::Value;
use streams::Timestamp;

use self::groups::Committed;
pub use self::groups::{Group, GroupMember, GroupPartition};
use self::offsets::{Ends, Partition, beginnings, stable_ends};
use self::page::Place;
use self::readers::Readers;
use crate::Settings;
use crate::client_log::ClientLog;
use crate::clock::Stopwatch;

/// Shows what is in topics, and how far groups have read. A handle: clones share their connections. The
/// [module's page](self) says more.
#[derive(Clone)]
pub struct Browser(Arc<Shared>);

struct Shared {
    settings: Settings,
    schemas: Schemas,
    resolve: Box<dyn Fn(SchemaId) + Send + Sync>,
    /// Asked about topics, offsets and groups, by many at once.
    client: BaseConsumer<ClientLog>,
    readers: Readers,
    committed: Committed,
    ends: Ends,
}

/// A topic and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicContents {
    /// The name, without the prefix of the system.
    pub name: String,
    /// All its partitions, in the order of their numbers.
    pub partitions: Vec<PartitionContents>,
}

/// From where to where a partition can be read. Between the two are also the markers of transactions, and what compaction has
/// removed: there are at most as many records as offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionContents {
    /// The number of the partition.
    pub partition: i32,
    /// The first offset that can be read.
    pub first: i64,
    /// The offset that follows the last one.
    pub next: i64,
}

/// Some records of a partition, in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The first offset that can be read in the partition.
    pub first: i64,
    /// The offset that follows the last one in the partition.
    pub next: i64,
    /// What was asked for, as far as it is there.
    pub records: Vec<PageRecord>,
}

/// A record, to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct PageRecord {
    /// Its offset.
    pub offset: i64,
    /// Its event time.
    pub timestamp: Timestamp,
    /// Its key, if it has one, as text ([`avro_codec::text_of`]).
    pub key: Option<String>,
    /// Names and values of its headers in their order, as text.
    pub headers: Vec<(String, String)>,
    /// The id of the schema its value names.
    pub schema_id: Option<u32>,
    /// Its value; none, if it is a tombstone. One that cannot be decoded is shown as text, of which not more than the
    /// beginning.
    pub value: Option<Value>,
    /// Why the value cannot be decoded.
    pub problem: Option<String>,
    /// The length of its value.
    pub bytes: usize,
}

/// Why there is nothing to be seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrowseError {
    /// No broker answers, or not in time.
    #[error("the broker at {servers} does not answer ({cause})")]
    Unavailable {
        /// `bootstrap.servers`.
        servers: String,
        /// What the client says.
        cause: String,
    },
    /// As many are reading as may at a time.
    #[error("too many pages are being read at the moment")]
    Busy,
    /// There is no such topic, or it is none of the system.
    #[error("there is no topic `{0}`")]
    UnknownTopic(String),
    /// The topic does not have so many partitions.
    #[error("the topic `{topic}` has no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The number that was asked for.
        partition: i32,
    },
    /// The registry has no such schema.
    #[error("the schema registry has no schema {0}")]
    UnknownSchema(u32),
    /// The registry has not answered.
    #[error("the schema registry has not answered for schema {0}")]
    UnresolvedSchema(u32),
}

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the registry is waited for.
const SCHEMA_PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks whether it has answered.
const SCHEMA_INTERVAL: Duration = Duration::from_millis(5);

impl Browser {
    /// A browser of the system with this prefix. Does not wait for a connection.
    ///
    /// `resolve` asks for the schema of an id; it returns at once, and the answer shows in `schemas`.
    ///
    /// # Errors
    /// No client can be set up.
    pub fn new(
        settings: Settings,
        schemas: Schemas,
        resolve: impl Fn(SchemaId) + Send + Sync + 'static,
    ) -> Result<Self, KafkaError> {
        Ok(Self(Arc::new(Shared {
            client: settings.reader("read_committed").create_with_context(ClientLog::default())?,
            readers: Readers::new(&settings),
            committed: Committed::default(),
            ends: Ends::default(),
            resolve: Box::new(resolve),
            schemas,
            settings,
        })))
    }

    /// All topics, by name.
    ///
    /// # Errors
    /// [`BrowseError::Unavailable`].
    pub fn topics(&self) -> Result<Vec<TopicContents>, BrowseError> {
        let deadline = Deadline::new();
        let topics = self.0.topics(deadline)?;
        let all: Vec<Partition> = topics.values().flatten().cloned().collect();
        let ask = || Ok((beginnings(&self.0.client, &all, deadline)?, stable_ends(&self.0.client, &all, deadline)?));
        let (firsts, nexts) = ask().map_err(|error| self.0.unavailable(&error))?;
        let contents = |at: &Partition| {
            Some(PartitionContents { partition: at.1, first: *firsts.get(at)?, next: *nexts.get(at)? })
        };
        let topics = topics.into_iter();
        Ok(topics
            .map(|(name, partitions)| TopicContents {
                name,
                partitions: partitions.iter().filter_map(contents).collect(),
            })
            .collect())
    }

    /// At most `limit` records of a partition, from an offset on. A negative number counts records from the end: −20 is for
    /// the last 20, or the last `limit` if those are fewer.
    ///
    /// A page also ends when it has 4 MiB.
    ///
    /// # Errors
    /// All but those about a schema that is asked for: a value whose schema is not known is a `problem` of its record.
    pub fn records(&self, topic: &str, partition: i32, from: i64, limit: usize) -> Result<Page, BrowseError> {
        self.read(topic, partition, Place::From(from), limit)
    }

    /// The last records of a partition before an offset, at most `limit`: at least one, however far back it is, if there is
    /// any.
    ///
    /// # Errors
    /// Those of [`Self::records`].
    pub fn records_before(&self, topic: &str, partition: i32, end: i64, limit: usize) -> Result<Page, BrowseError> {
        self.read(topic, partition, Place::Before(end), limit)
    }

    fn read(&self, topic: &str, partition: i32, place: Place, limit: usize) -> Result<Page, BrowseError> {
        let deadline = Deadline::new();
        let of_topic = self.0.topics(deadline)?.remove(topic);
        let of_topic = of_topic.ok_or_else(|| BrowseError::UnknownTopic(topic.to_string()))?;
        let at = of_topic.into_iter().find(|at| at.1 == partition);
        let at = at.ok_or_else(|| BrowseError::UnknownPartition { topic: topic.to_string(), partition })?;
        self.0.page(&at, place, limit, deadline)
    }

    /// All groups that have members or have committed something, by name.
    ///
    /// # Errors
    /// [`BrowseError::Unavailable`] and [`BrowseError::Busy`].
    pub fn groups(&self) -> Result<Vec<Group>, BrowseError> {
        self.0.groups(Deadline::new())
    }

    /// The schema of an id, whether or not it was met before.
    ///
    /// # Errors
    /// [`BrowseError::UnknownSchema`] and [`BrowseError::UnresolvedSchema`].
    pub fn schema(&self, id: u32) -> Result<Value, BrowseError> {
        let id = SchemaId(id);
        self.0.resolved(&[id]);
        if let Some(text) = self.0.schemas.text(id) {
            return Ok(serde_json::from_str(&text).unwrap_or_else(|_| Value::from(&*text)));
        }
        Err(match self.0.schemas.status_of(id) {
            SchemaStatus::Unresolved(_) => BrowseError::UnresolvedSchema(id.0),
            SchemaStatus::Known | SchemaStatus::Refused => BrowseError::UnknownSchema(id.0),
        })
    }
}

impl Shared {
    /// The partitions of each topic, with the names that they have on the broker.
    fn topics(&self, deadline: Deadline) -> Result<BTreeMap<String, Vec<Partition>>, BrowseError> {
        let metadata = self.client.fetch_metadata(None, deadline.left());
        self.let_speak();
        let metadata = metadata.map_err(|error| self.unavailable(&error))?;
        let named = metadata.topics().iter().filter_map(|topic| Some((self.visible(topic.name())?, topic)));
        Ok(named
            .map(|(name, topic)| {
                let partition = |number| (topic.name().to_string(), number);
                let mut partitions: Vec<_> = topic.partitions().iter().map(|it| partition(it.id())).collect();
                partitions.sort_unstable();
                (name.to_string(), partitions)
            })
            .collect())
    }

    /// The name of a topic or group of this system without the prefix.
    fn visible<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&*self.settings.topic_prefix).filter(|name| !name.starts_with("__"))
    }

    /// Asks for schemas, and waits a while for those that are not known yet.
    fn resolved(&self, ids: &[SchemaId]) {
        let waiting = Stopwatch::start();
        loop {
            let is_unresolved = |id: &&SchemaId| matches!(self.schemas.status_of(**id), SchemaStatus::Unresolved(_));
            let mut unresolved = ids.iter().filter(is_unresolved).peekable();
            if unresolved.peek().is_none() || waiting.elapsed() > SCHEMA_PATIENCE {
                return;
            }
            unresolved.for_each(|id| (self.resolve)(*id));
            thread::sleep(SCHEMA_INTERVAL);
        }
    }

    /// What the client has to say piles up unless it is taken.
    fn let_speak(&self) {
        while self.client.poll(Duration::ZERO).is_some() {}
    }

    fn unavailable(&self, error: &KafkaError) -> BrowseError {
        BrowseError::Unavailable { servers: self.settings.bootstrap_servers.clone(), cause: error.to_string() }
    }
}

/// By when a call must have its answer.
#[derive(Clone, Copy)]
struct Deadline(Stopwatch);

impl Deadline {
    fn new() -> Self {
        Self(Stopwatch::start())
    }

    fn left(self) -> Duration {
        PATIENCE.saturating_sub(self.0.elapsed())
    }

    fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
