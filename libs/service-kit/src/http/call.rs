use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use streams::Timestamp;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::{IntoParams, PartialSchema};

use super::{JsonBody, Parameters, PathId, Problem, TraceContext, prefers};
use crate::world;

/// When to come again after a 503 that will soon be over.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long the client lets a request wait: the parameter `timeout`, in milliseconds. At most [`Timeout::LONGEST`], 10 s
/// unless given; with 0 nothing is waited for. What is no such number is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(Duration);

/// A request that is a command: what the client wants, in its [body](JsonBody), and how it wants to be answered.
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
    /// The command itself.
    pub body: JsonBody,
}

/// A request that is a blocking read of one thing, by the `id` in its path.
#[derive(Clone, Debug)]
pub struct BlockingRead {
    /// What is asked for.
    pub id: String,
    /// How long it is waited for.
    pub timeout: Timeout,
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

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let received_at = world::now();
        let (mut parts, body) = request.into_parts();
        let timeout = Timeout::from_request_parts(&mut parts, state).await?;
        let Ok(trace) = TraceContext::from_request_parts(&mut parts, state).await;
        let responds_async = prefers(&parts.headers, "respond-async");
        let body = JsonBody::from_request(Request::from_parts(parts, body), state).await?;
        Ok(Self { timeout, responds_async, trace, received_at, body })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for BlockingRead {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let PathId(id) = PathId::from_request_parts(parts, state).await?;
        Ok(Self { id, timeout: Timeout::from_request_parts(parts, state).await? })
    }
}

impl IntoParams for Timeout {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Milliseconds to wait, at most 60000, and 10000 unless given; 0 does not wait";
        let parameter = ParameterBuilder::new().name("timeout").parameter_in(ParameterIn::Query);
        let parameter = parameter.required(Required::False).description(Some(description));
        vec![parameter.schema(Some(Option::<u64>::schema())).build()]
    }
}

impl IntoParams for Call {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = Timeout::into_params(place);
        parameters.push(header("Prefer", "`respond-async`: do not wait for the decision"));
        parameters
    }
}

impl IntoParams for BlockingRead {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = PathId::into_params(&place);
        parameters.extend(Timeout::into_params(place));
        parameters
    }
}

/// An optional header, as a parameter of an operation.
pub(super) fn header(name: &str, description: &str) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(Required::False);
    parameter.description(Some(description)).schema(Some(Option::<String>::schema())).build()
}
