//! The service against real parts.
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod browsing;
mod client;
mod crashes;
mod expected;
mod feed;
mod harness;
mod indexes;
mod instances;
mod outages;
mod projecting;
mod reading;
mod rebuild;
mod story;
