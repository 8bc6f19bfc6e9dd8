use std::path::PathBuf;
use std::process;
use std::time::Duration;

use rdkafka::ClientConfig;
use streams::{Limits, Timestamp, TopicDeclaration};

use crate::clock::wall_clock;
use crate::spans::Tracing;

/// How a process reaches its broker and what it is called there.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `bootstrap.servers`.
    pub bootstrap_servers: String,
    /// The stable slot of this instance. `transactional.id` and `group.instance.id` follow from it, so that a restarted
    /// process fences its own past and takes its partitions back without a rebalance (KIP-345).
    pub instance: String,
    /// Put before every topic, group and transactional id, so that several stacks can share a broker.
    pub topic_prefix: String,
    /// Longest wait before a change of state that no output goes with is committed.
    pub commit_interval: Duration,
    /// Most records in one epoch.
    pub max_epoch_records: usize,
    /// Largest record, key and value together, in bytes.
    pub max_record_bytes: usize,
    /// How often repartition topics are purged of what has been committed past.
    pub purge_interval: Duration,
    /// How long the broker waits for a sign of life before it gives the partitions to others.
    pub session_timeout: Duration,
    /// `retry.backoff.ms` of the transactional producer. An EndTxn that takes longer than three quarters of it may have been
    /// repeated, and costs the producer (ADR 7).
    pub retry_backoff: Duration,
    /// How many stream threads share the partitions of this process.
    pub stream_threads: usize,
    /// Where stores are kept. Without a directory they are kept in memory, and restored in full by every process.
    pub state_dir: Option<PathBuf>,
    /// Where the other instances reach this one; it is found by them in the description of the group.
    pub advertised_url: Option<String>,
    /// Names this run of the process, so that a zombie is not taken for its successor in the same slot.
    pub run: String,
    /// Where spans go, if anybody watches.
    pub tracing: Tracing,
}

/// `max.message.bytes` of a topic of dead letters: a whole record, its headers and its coordinates.
pub(crate) const MAX_DEAD_LETTER_BYTES: usize = 2 * 1024 * 1024;
/// What a batch and the headers of a record add to its key and value, generously.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = 4096;

impl Settings {
    /// Settings with defaults for all that is not given.
    pub fn new(bootstrap_servers: impl Into<String>, instance: impl Into<String>) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.into(),
            instance: instance.into(),
            topic_prefix: String::new(),
            commit_interval: Duration::from_millis(100),
            max_epoch_records: 4000,
            max_record_bytes: 1_000_000,
            purge_interval: Duration::from_secs(30),
            session_timeout: Duration::from_secs(10),
            // Ten times the slowest EndTxn that was seen, so that a slow one can be told from a repeated one.
            retry_backoff: Duration::from_millis(500),
            stream_threads: 1,
            state_dir: None,
            advertised_url: None,
            run: format!("{:x}-{:x}", process::id(), wall_clock().as_millis()),
            tracing: Tracing::default(),
        }
    }

    /// What a stream thread's consumer is called in the description of its group: the advertised URL with the run as its
    /// fragment.
    pub(crate) fn member_name(&self) -> String {
        let address = self.advertised_url.clone().unwrap_or_else(|| self.topic(&self.instance));
        format!("{address}#{}", self.run)
    }

    /// The name a topic has on the broker.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.topic_prefix)
    }

    /// What a stream thread of this instance is always called: its `transactional.id` and `group.instance.id`.
    pub(crate) fn slot(&self, group: &str, thread: usize) -> String {
        self.topic(&format!("{group}-{}-{thread}", self.instance))
    }

    /// The declaration of a topic under the name it has on the broker.
    pub(crate) fn declaration(&self, topic: &TopicDeclaration) -> TopicDeclaration {
        TopicDeclaration { name: self.topic(&topic.name), ..topic.clone() }
    }

    /// What may be sent at this moment: Kafka refuses timestamps that are more than an hour ahead.
    pub(crate) fn limits(&self, now: Timestamp) -> Limits {
        const AN_HOUR: Duration = Duration::from_secs(60 * 60);
        Limits { max_record_bytes: self.max_record_bytes, latest_timestamp: now + AN_HOUR }
    }

    /// The consumer of a stream thread.
    pub(crate) fn consumer(&self, group: &str, thread: usize) -> ClientConfig {
        let mut config = self.reader("read_committed");
        config
            // Not `client.id`, of which the broker keeps the one it first had from a static member: see owners.rs.
            .set("client.rack", self.member_name())
            .set("group.id", self.topic(group))
            .set("group.instance.id", self.slot(group, thread))
            .set("partition.assignment.strategy", "range")
            .set("session.timeout.ms", self.session_timeout.as_millis().to_string())
            // A member hears of a rebalance by its heartbeat, and all wait for the last to hear of it.
            .set("heartbeat.interval.ms", (self.session_timeout.as_millis() / 40).to_string())
            // Where to start is decided from the committed offsets; an offset that is out of range is an error.
            .set("auto.offset.reset", "error")
            // After a seek the first record waits for the fetch that is under way; an idle service fetches that often.
            .set("fetch.wait.max.ms", "250")
            // Says how far each partition was read, which decides when a task has caught up.
            .set("statistics.interval.ms", "1000");
        config
    }

    /// A client that reads partitions given to it and belongs to no group.
    pub(crate) fn reader(&self, isolation_level: &str) -> ClientConfig {
        let mut config = self.client();
        config
            // librdkafka wants a group even from a client that never joins one.
            .set("group.id", self.topic("reader"))
            .set("isolation.level", isolation_level)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            // The broker answers the requests of a connection one after the other: nothing waits behind a long fetch.
            .set("fetch.wait.max.ms", "10")
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.message.max.bytes", "2097152");
        config
    }

    /// The transactional producer of a stream thread.
    pub(crate) fn transactional_producer(&self, group: &str, thread: usize) -> ClientConfig {
        let mut config = self.producer();
        config
            .set("transactional.id", self.slot(group, thread))
            .set("transaction.timeout.ms", self.transaction_timeout().as_millis().to_string())
            .set("retry.backoff.ms", self.retry_backoff.as_millis().max(1).to_string())
            .set("retry.backoff.max.ms", (2 * self.retry_backoff).as_millis().max(1).to_string());
        config
    }

    /// The producer of records that are sent on without a transaction: what is lost is followed by nothing.
    pub(crate) fn forwarding_producer(&self) -> ClientConfig {
        let mut config = self.producer();
        config
            .set("enable.gapless.guarantee", "true")
            // A record that is given up by the clock alone is not covered by that guarantee: none is, the producer is.
            .set("message.timeout.ms", "0");
        config
    }

    /// An idempotent producer, whose retries neither double nor reorder.
    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "0")
            // As Java clients partition; librdkafka's own default is CRC32.
            .set("partitioner", "murmur2_random")
            // Dead letters carry a whole record and its coordinates.
            .set("message.max.bytes", MAX_DEAD_LETTER_BYTES.to_string());
        config
    }

    /// How long the broker lets a transaction be open: below the session timeout, so that a dead owner's transaction is
    /// over before its partitions are somebody else's.
    pub(crate) fn transaction_timeout(&self) -> Duration {
        self.session_timeout * 6 / 10
    }

    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", self.topic(&self.instance))
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("socket.nagle.disable", "true");
        config
    }
}
