//! Runs a [`Topology`](streams::Topology) on Kafka, exactly once.
//!
//! [`KafkaStreams::start`] gives the frozen graph to a *stream thread*: one consumer, one transactional producer, and a
//! [`Task`](streams::Task) for every partition assigned to it. The thread turns in a loop: it polls a batch, lets the
//! tasks process it, sends what they say as they say it, and commits when somebody waits for an output and the input is
//! drained. What lies between two commits is an *epoch*, and an epoch is one transaction: its input positions, its
//! outputs and its changes of state come true together or not at all. What is only sent on under another key needs none.
//!
//! Where to read what:
//!
//! - `epoch.rs`: the exactly-once protocol. [`Epoch::commit`](epoch) holds the order of its steps and why it is that order.
//! - `forward.rs`: what is sent on without a transaction, and how its reader knows repetitions (ADR 13).
//! - `thread.rs`: the loop around it; what happens when a step fails. `poll.rs`: how a batch is read.
//! - `membership.rs`: partitions that come and go. An epoch is committed inside the revoke callback.
//! - `stores.rs`, `disk.rs`: where stores are kept; tasks that wait for their partition to come back.
//! - `restore.rs`: what stores lack, read from their changelogs.
//! - `global.rs`: what is read beside the inputs, to be looked up by all tasks.
//! - `caught_up.rs`: when timers by the wall clock may fire.
//! - `sink.rs`: records on their way out of Kafka, to something that keeps its own positions.
//! - `browser.rs`: what is in topics and how far groups are, for people.
//! - `spans.rs`: what a tracer is told of it all.
//! - `view.rs`: blocking reads of committed state; `owners.rs`: who serves what is not served here.
//!
//! The client library is librdkafka, which knows transactions v1 only (no KIP-890 part 2): see ADR 0007 for what follows.

mod assigned;
mod bootstrap;
pub mod browser;
mod caught_up;
mod client_log;
mod clock;
mod disk;
mod epoch;
mod forward;
mod global;
pub mod headers;
mod journal;
mod kafka_streams;
mod membership;
mod metrics;
mod outgoing;
mod owners;
mod pace;
mod partition;
mod poll;
mod producer;
mod purge;
mod question;
mod restore;
mod settings;
pub mod sink;
mod spans;
mod status;
mod stores;
mod thread;
mod topics;
mod view;
mod world;

pub use browser::{BrowseError, Browser};
pub use journal::{Coordinates, Journal, JournalError};
pub use kafka_streams::KafkaStreams;
pub use owners::Owner;
pub use partition::partition_of;
pub use rdkafka::error::KafkaError;
pub use settings::Settings;
pub use sink::{DeadLetters, Sink, SinkEvent, SinkRecord, TopicPartition};
pub use spans::{Hops, RecordSpan, Tracing, trace_id};
pub use status::{Status, StreamsError};
pub use topics::{TopicsError, create as create_topics};
pub use view::{EncodedView, View, ViewError, Watch};
