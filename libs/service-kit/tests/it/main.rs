//! The kit as a client, an orchestrator and a terminal see it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod collector;
mod http;
mod process;
