//! The vocabulary of stateful stream processing, without any IO.
//!
//! A service declares a [`Topology`]: which topics it hears ([`Topology::stream`], [`Topology::table`],
//! [`Topology::global_table`]), what it does to each record ([`Stream::filter`], [`Stream::map`], [`Stream::process`] with a
//! [`Store`], …), what belongs together ([`Stream::join`] with a table, [`Stream::outer_join`] with another stream within a
//! window, [`Stream::session`]), and which topics it writes ([`Stream::to`], [`Stream::route`]) or what it gives up
//! ([`Stream::to_dead_letters`]). Nothing runs yet. [`Topology::build`] checks the whole and freezes it into a [`Graph`]; a [`Task`] is
//! the state machine that runs the graph for one partition. The words are those of Kafka Streams.
//!
//! ```
//! # use serde::{Deserialize, Serialize};
//! # use streams::{Store, TestDriver, Timestamp, Topic, Topology};
//! # #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
//! # struct Reading { sensor: String, celsius: i64 }
//! # impl avro_codec::AvroRecord for Reading {
//! #     const SCHEMA: &'static str = r#"{"type":"record","name":"Reading","fields":[
//! #         {"name":"sensor","type":"string"},{"name":"celsius","type":"long"}]}"#;
//! # }
//! const READINGS: Topic<Reading> = Topic::new("readings", "sensors", |reading| reading.sensor.clone());
//! const RECORDS: Topic<Reading> = Topic::new("records", "heat", |reading| reading.sensor.clone());
//! const HIGHEST: Store<Reading> = Store::new("highest");
//!
//! let topology = Topology::new("heat");
//! topology
//!     .stream(&READINGS)
//!     .filter(|reading| reading.celsius > 0)
//!     .process(&HIGHEST, |reading, highest| {
//!         let is_record = highest.get(reading.key).is_none_or(|highest| highest.celsius < reading.celsius);
//!         is_record.then(|| {
//!             highest.put(reading.key, reading.value);
//!             reading.value.clone()
//!         })
//!     })
//!     .to(&RECORDS);
//!
//! let mut driver = TestDriver::new(topology).unwrap();
//! for celsius in [20, 30, 25] {
//!     driver.pipe(&READINGS, &Reading { sensor: "roof".into(), celsius });
//! }
//! assert_eq!(driver.read(&RECORDS).iter().map(|record| record.celsius).collect::<Vec<_>>(), [20, 30]);
//! ```
//!
//! Three rules hold everywhere:
//!
//! - Time is event time, taken from the records alone, so that replaying the same input says the same. Two exceptions are
//!   said aloud: [`Clock::Wall`] speaks through an event, and a lookup in a [`GlobalTable`] finds what is there now.
//! - A refusal is an event that a handler returns; only broken machinery is an error. A record that cannot be handled at
//!   all is a [`Refusal`] and goes to the dead letters; the records behind it go on.
//! - What one record writes and says counts only when its handlers have returned, and what an epoch of records writes and
//!   says counts only when it is committed.

mod describe;
mod draft;
mod forwarding;
mod give_up;
mod global;
mod graph;
mod join;
mod refusal;
mod route;
mod session;
mod state;
mod step;
mod store;
mod stream;
mod table;
mod task;
mod test_driver;
mod time;
mod timer;
mod topic;
mod topology;
mod trace;

pub use avro_codec::AvroRecord;
pub use describe::{Description, SubTopologyDescription};
pub use give_up::GivenUp;
pub use global::{GlobalTable, GlobalTables};
pub use graph::{Graph, TopologyError};
pub use join::{JoinWindow, Joined};
pub use refusal::Refusal;
pub use session::{Session, SessionStream, Sessions};
pub use state::{Change, Checkpoint, MAX_KEY_BYTES, MemoryStore, Restoration, StateStore, StoreError};
pub use store::{Store, StoreAccess, Stores};
pub use stream::{Record, Stream};
pub use table::{Lookup, Table};
pub use task::{Input, Limits, Output, Task, TaskId};
pub use test_driver::{DeadLetter, TestDriver};
pub use time::Timestamp;
pub use topic::{Cleanup, DEFAULT_PARTITIONS, Topic, TopicDeclaration, Visibility, subject};
pub use topology::{Clock, Topology};
pub use trace::Trace;
