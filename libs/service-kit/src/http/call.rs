use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use streams::Timestamp;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{RefOr, Required, Schema};
use utoipa::{IntoParams, PartialSchema};

use super::{Parameters, Problem, TraceContext, prefers};
use crate::world;

/// When to come again after a 503 that will soon be over.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long the client lets a request wait: the parameter `timeout`, in milliseconds. At most [`Timeout::LONGEST`], 10 s
/// unless given; with 0 nothing is waited for. What is no such number is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(Duration);

/// What a client says of the command that its request is, beside the command itself.
///
/// As parameters of an operation (`params(Call)`) it describes `timeout` and `Prefer`.
#[derive(Clone, Debug)]
pub struct Call {
    /// How long it waits for the decision.
    pub timeout: Timeout,
    /// It does not wait for the decision at all: `Prefer: respond-async` (RFC 7240, section 4.1).
    pub responds_async: bool,
    /// The trace to which all belongs that follows.
    pub trace: TraceContext,
    /// When it was received.
    pub received_at: Timestamp,
}

impl Timeout {
    /// The longest time a request may wait.
    pub const LONGEST: Duration = Duration::from_secs(60);

    const DEFAULT: Duration = Duration::from_secs(10);

    /// The time itself.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Timeout {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        const LONGEST_MS: u64 = Timeout::LONGEST.as_secs() * 1000;
        let Ok(parameters) = Parameters::from_request_parts(parts, state).await;
        let given = parameters.milliseconds("timeout", 0..=LONGEST_MS)?;
        Ok(Self(given.unwrap_or(Self::DEFAULT)))
    }
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Ok(trace) = TraceContext::from_request_parts(parts, state).await;
        Ok(Self {
            timeout: Timeout::from_request_parts(parts, state).await?,
            responds_async: prefers(&parts.headers, "respond-async"),
            trace,
            received_at: world::now(),
        })
    }
}

impl IntoParams for Timeout {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Milliseconds to wait, at most 60000, and 10000 unless given; 0 does not wait";
        vec![optional("timeout", ParameterIn::Query, Option::<u64>::schema(), description)]
    }
}

impl IntoParams for Call {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "`respond-async`: do not wait for the decision";
        let mut parameters = Timeout::into_params(place);
        parameters.push(optional("Prefer", ParameterIn::Header, Option::<String>::schema(), description));
        parameters
    }
}

fn optional(name: &str, place: ParameterIn, schema: RefOr<Schema>, description: &str) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(Required::False);
    parameter.description(Some(description)).schema(Some(schema)).build()
}
