//! What a test of real parts needs that is not the matter of the test: a broker, a registry, a database, names nobody else
//! uses, and a way to wait.
//!
//! All tests of a process share one [`infrastructure()`], so that each takes names of its own from [`unique`]. `make test`
//! starts one for all processes; a `cargo test -p …` on its own starts one when the first test asks for it. Tests that
//! break parts start a [`local::Stack`] of their own, and look at its topics through a [`Broker`] just as well.
//!
//! ```no_run
//! # async fn test() -> anyhow::Result<()> {
//! use std::time::Duration;
//! use test_kit::{RawRecord, eventually, infrastructure, unique};
//!
//! let broker = infrastructure().broker();
//! let topic = unique("letters");
//! broker.create_topic(&topic, 4, &[])?;
//! broker.write(&topic, [RawRecord::new("a", "first")])?;
//! eventually("the letter is there", Duration::from_secs(10), async || {
//!     (broker.read_all(&topic).ok()?.len() == 1).then_some(())
//! })
//! .await;
//! # Ok(())
//! # }
//! ```
//!
//! The [`Broker`] is a bare client: it sees what any other would, committed records only, and uses none of our libraries.
//!
//! A [`Service`] is the program of one service at work, and the test plays everybody around it: its clients with [`HTTP`],
//! clients who make every mistake with [`faults`], and an outage with a [`Gate`].

#![expect(clippy::disallowed_methods, reason = "tests wait by the clock and draw names at random")]

mod broker;
mod client;
mod condition;
mod events;
pub mod faults;
mod gate;
mod infrastructure;
mod record;
mod service;

pub use broker::{Broker, OpenTransaction};
pub use client::{HTTP, answer, problem};
pub use condition::{eventually, eventually_blocking};
pub use gate::Gate;
pub use infrastructure::{Infrastructure, infrastructure};
pub use record::RawRecord;
pub use service::Service;

/// A name that no other test, and no other run of this one, uses: `name` and twelve random hexadecimal digits.
pub fn unique(name: &str) -> String {
    let random = uuid::Uuid::now_v7().simple().to_string();
    format!("{name}-{}", &random[20..])
}
