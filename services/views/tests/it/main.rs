//! The service against real parts.
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod crashes;
mod expected;
mod harness;
mod instances;
mod outages;
mod projecting;
mod rebuild;
mod story;
