//! The service against real parts.
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod crashes;
mod harness;
mod http_provider;
mod mailbox;
mod orders;
mod outages;
mod provider;
mod smtp_server;
