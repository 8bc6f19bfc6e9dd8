//! The engine on a real broker.
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod aborts;
mod bootstrap;
mod browser;
mod dead_letters;
mod forwarding;
mod global;
mod inputs;
mod joins;
mod local_state;
mod rebalance;
mod rig;
mod sink;
mod spans;
mod startup;
mod state;
mod timers;
