//! What an HTTP service needs besides its handlers: a [`Server`] that bounds what a client can cost, [`Problem`] documents,
//! strict [bodies](JsonBody) and [parameters](Parameters), [commands](Call), [blocking reads](BlockingRead), the
//! [`Precondition`] of a change, the [`TraceContext`], and the page that [documents](document) it.

mod call;
mod conditional;
mod edge;
mod headers;
mod json;
mod limits;
mod openapi;
mod origins;
mod parameters;
mod problem;
mod refusals;
mod server;
mod span;
mod stall;
mod trace;
mod values;

pub(crate) use call::RETRY_AFTER;
pub use call::{BlockingRead, Call, Timeout};
pub use conditional::{Precondition, etag, is_known};
pub use headers::{IdempotencyKey, prefers};
pub use json::{Fields, JsonBody, int32, int64, number, text};
pub use limits::Limits;
pub use openapi::document;
pub use origins::Origins;
pub use parameters::Parameters;
pub use problem::{InvalidField, PROBLEM_JSON, Problem};
pub use refusals::{CommandRefusal, ReadRefusal};
pub use server::{ListenError, Server};
pub use trace::{TRACERESPONSE, TraceContext};
pub use values::{PathId, exact, id, rfc3339};
