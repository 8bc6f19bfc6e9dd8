//! Turns a topology, a router or a task into a well-behaved process.
//!
//! A service declares what it is, and [`Service::run`] does the rest, so that its `main` reads like this:
//!
//! ```no_run
//! # mod topology { pub fn topology(_: &super::Options) -> streams::Topology { streams::Topology::new("heat") } }
//! # mod http {
//! #     pub fn router(_: &service_kit::Context<super::Options>) -> utoipa_axum::router::OpenApiRouter {
//! #         Default::default()
//! #     }
//! # }
//! use std::process::ExitCode;
//!
//! use service_kit::Service;
//!
//! /// Notes the highest temperature of each sensor
//! #[derive(Debug, clap::Args)]
//! pub struct Options {
//!     /// Degrees below which nobody cares
//!     #[arg(long, env = "LEAST_CELSIUS", default_value = "0", allow_negative_numbers = true)]
//!     pub least_celsius: i32,
//! }
//!
//! fn main() -> ExitCode {
//!     Service::<Options>::new("heat").topology(topology::topology).http(http::router).run()
//! }
//! ```
//!
//! # From start to drain
//!
//! 1. **Options** are read from flags and environment: the service's own, and those of [`KitOptions`] that mean something
//!    to it. What is wrong is named, with exit code 2. `describe` prints what the service derives from its declaration and
//!    ends; it needs no connection. `health` asks the process that runs with the same options whether it is ready, and says
//!    so by its exit code: the health check of a container.
//! 2. **Ports** are taken at once: `/livez`, `/readyz` and `/metrics` on the admin port, and the port for HTTP. One that is
//!    taken ends the process with a sentence.
//! 3. **Waiting.** What is not there yet (registry, schemas, broker, topics) is waited for. `/livez` is 200, `/readyz` is
//!    503 and names what is awaited, every other request is answered 503 with the same words, and each new reason is
//!    logged once. What no waiting mends, such as a topic with other partitions than declared, ends the process.
//! 4. **Work.** Router and tasks are built from a [`Context`]: clock, ids, journal and views come to a service as values
//!    and from nowhere else. The process is ready when its streams run; it may become unready again, when its partitions
//!    are restored for instance. The registry counts only until here: what works from known schemas goes on without it.
//! 5. **Supervision.** Whatever runs is watched: a task or stream thread that ends by itself is logged and ends the process
//!    with exit code 1, for an orchestrator to start it again. There is no half-dead process.
//! 6. **Instances** of a service share its partitions. A [`View`] reads of all of them: what another instance serves is asked
//!    from its admin port, whose address the broker tells. `POST /leave` there, or the command `leave`, gives the partitions
//!    away for good, before an instance is stopped that is not to come back.
//! 7. **Drain**, on SIGTERM or SIGINT, within one deadline: readiness goes off, no more connections are accepted, requests
//!    in flight are answered (they still see their commits), those that wait too long are told to come again; then the
//!    streams commit and end; then the admin port. The exit code is 0. A second signal ends the process at once.
//!
//! # What a service gets to work with
//!
//! [`http`] has the strict [body](http::JsonBody) and [parameter](http::Parameters) extractors, the
//! [problem documents](http::Problem) that every error becomes, and the [trace](http::TraceContext) of the request, which
//! is named in the log, in problem documents and in the `traceresponse` header, and travels on through the journal.
//!
//! A [`Gateway`] journals commands and answers with the decisions on them; [`View::read`] is the blocking read.
//!
//! What leaves Kafka leaves through a [sink](Context::sink), whose positions are kept where the records go; a
//! [command](Service::command) can [replay](Context::replay) it from the beginning. A task that needs
//! something else, such as a database, [says](Context::awaiting) so on `/readyz`. [`failure_point`](failure_point()) lets tests end the
//! process at a step of their choice.
//!
//! A handler may answer with a body that goes on for hours, such as an event stream: only its beginning has to come in the
//! time for a request, and a client that takes nothing of it is cut off. The body ends when the process is
//! [stopping](Context::stopping); one that does not holds up the drain, and is cut off when that is over. A service that
//! shows what is in Kafka has a [browser](Context::browser).
//!
//! Logs go to standard error: text on a terminal, one JSON object per line everywhere else. Metrics are those of
//! OpenTelemetry's global meter, which stands before anything else starts. Traces are told to a collector, if there is one
//! (`--otlp-endpoint`): each request, each record that is journaled, processed or taken out of Kafka.

mod admin;
mod commands;
mod context;
mod describe;
mod engine;
mod failure_point;
mod gateway;
pub mod http;
mod job;
mod logging;
mod metrics;
mod options;
mod peers;
mod process;
mod readiness;
mod service;
mod signals;
mod stage;
mod stores;
mod telemetry;
mod view;
mod world;

pub use context::Context;
pub use failure_point::{failure_claimed, failure_point};
pub use gateway::Gateway;
pub use metrics::{Counter, Histogram, Reading, observe};
pub use options::{KitOptions, LogFormat, milliseconds};
pub use service::Service;
pub use streams_kafka::browser::{
    BrowseError, Browser, Group, GroupMember, GroupPartition, Page, PageRecord, PartitionContents, TopicContents,
};
pub use streams_kafka::{
    DeadLetters, Journal, JournalError, RecordSpan, Sink, SinkEvent, SinkRecord, TopicPartition, ViewError,
};
pub use view::View;
pub use world::Clock;
