//! kit
mod admin;
mod context;
mod describe;
mod engine;
pub mod http;
mod logging;
mod metrics;
mod options;
mod process;
mod readiness;
mod service;
mod signals;
mod stage;
mod world;

pub use context::Context;
pub use options::{KitOptions, LogFormat, milliseconds};
pub use service::Service;
pub use world::Clock;
