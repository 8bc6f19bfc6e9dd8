//! What an HTTP service needs besides its handlers: a [`Server`] that bounds what a client can cost, [`Problem`] documents,
//! strict [bodies](JsonBody) and [parameters](Parameters), the [`TraceContext`], and the page that [documents](document) it.

mod edge;
mod headers;
mod json;
mod limits;
mod openapi;
mod parameters;
mod problem;
mod server;
mod trace;

pub use headers::{idempotency_key, prefers};
pub use json::{Fields, JsonBody, int32, int64, number, text};
pub use limits::Limits;
pub use openapi::document;
pub use parameters::Parameters;
pub use problem::{InvalidField, PROBLEM_JSON, Problem};
pub use server::{ListenError, Server};
pub use trace::{TRACERESPONSE, TraceContext};
