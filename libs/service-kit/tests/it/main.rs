//! The kit as a client, an orchestrator and a terminal see it.

mod client;
mod http;
mod process;
