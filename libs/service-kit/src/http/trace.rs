use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

/// The response header that tells the client under which trace its request ran, in the format of `traceparent`
/// (W3C Trace Context Level 2 draft, "traceresponse").
pub const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// This process's place in a distributed trace (W3C Trace Context): a span of its own in the trace of whoever asked.
///
/// A handler takes it as an argument and hands it to the journal, so that what follows from the request carries on the
/// trace in its record headers.
#[derive(Clone, Debug)]
pub struct TraceContext(SpanContext);

impl TraceContext {
    /// A new span in the trace the request belongs to, or in a new, sampled trace if it belongs to none or does not say
    /// so in a valid way.
    pub fn continued(headers: &HeaderMap) -> Self {
        let ids = RandomIdGenerator::default();
        let context = Self::parent(headers);
        let span = context.span();
        let parent = span.span_context();
        if parent.is_valid() {
            let state = parent.trace_state().clone();
            Self(SpanContext::new(parent.trace_id(), ids.new_span_id(), parent.trace_flags(), false, state))
        } else {
            Self::started()
        }
    }

    /// What the request belongs to, if it says so in a valid way.
    pub(super) fn parent(headers: &HeaderMap) -> Context {
        TraceContextPropagator::new().extract_with_context(&Context::new(), &RequestHeaders::new(headers))
    }

    /// The place of a span that is told of.
    pub(super) fn of(span: &SpanContext) -> Self {
        Self(span.clone())
    }

    /// The first span of a new, sampled trace.
    pub fn started() -> Self {
        let ids = RandomIdGenerator::default();
        let (trace_id, span_id) = (ids.new_trace_id(), ids.new_span_id());
        Self(SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, false, TraceState::default()))
    }

    /// The trace id: 32 lowercase hexadecimal digits.
    pub fn trace_id(&self) -> String {
        self.0.trace_id().to_string()
    }

    /// The value of the `traceparent` header for what this span causes.
    pub fn traceparent(&self) -> String {
        self.inject().traceparent
    }

    /// The value of the `tracestate` header for what this span causes, if the trace has one.
    pub fn tracestate(&self) -> Option<String> {
        Some(self.inject().tracestate).filter(|state| !state.is_empty())
    }

    pub(crate) fn response_header(&self) -> HeaderValue {
        HeaderValue::try_from(self.traceparent()).expect("hexadecimal digits and hyphens are a header value")
    }

    fn inject(&self) -> Injected {
        let mut injected = Injected::default();
        let context = Context::new().with_remote_span_context(self.0.clone());
        TraceContextPropagator::new().inject_context(&context, &mut injected);
        injected
    }
}

impl<S: Sync> FromRequestParts<S> for TraceContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // The edge has put it there; a router that runs without the edge, in a test, starts a trace here.
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::continued(&parts.headers)))
    }
}

/// The two headers as the specification wants them read: `traceparent` only if there is exactly one, `tracestate` joined
/// from all of its lines.
struct RequestHeaders<'a> {
    traceparent: Option<&'a str>,
    tracestate: String,
}

impl<'a> RequestHeaders<'a> {
    fn new(headers: &'a HeaderMap) -> Self {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let traceparent = match (parents.next(), parents.next()) {
            (Some(only), None) => only.to_str().ok(),
            _ => None,
        };
        let states = headers.get_all(TRACESTATE).iter().filter_map(|value| value.to_str().ok());
        Self { traceparent, tracestate: states.collect::<Vec<_>>().join(",") }
    }
}

impl Extractor for RequestHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => self.traceparent,
            TRACESTATE => Some(&self.tracestate),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

#[derive(Default)]
struct Injected {
    traceparent: String,
    tracestate: String,
}

impl Injector for Injected {
    fn set(&mut self, key: &str, value: String) {
        match key {
            TRACEPARENT => self.traceparent = value,
            TRACESTATE => self.tracestate = value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_trace_is_continued_with_a_span_of_its_own() {
        let trace = TraceContext::continued(&headers(&[("traceparent", PARENT), ("tracestate", "a=1")]));
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(trace.traceparent().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
        assert!(trace.traceparent().ends_with("-01"));
        assert!(!trace.traceparent().contains("00f067aa0ba902b7"));
        assert_eq!(trace.tracestate().as_deref(), Some("a=1"));
    }

    #[test]
    fn a_decision_not_to_sample_is_kept() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert!(TraceContext::continued(&headers(&[("traceparent", parent)])).traceparent().ends_with("-00"));
    }

    #[test]
    fn the_lines_of_a_tracestate_are_one_list() {
        let trace =
            TraceContext::continued(&headers(&[("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]));
        assert_eq!(trace.tracestate().as_deref(), Some("a=1,b=2"));
    }

    #[test]
    fn without_a_valid_parent_a_sampled_trace_is_started() {
        let invalid = [
            headers(&[]),
            headers(&[("traceparent", "nonsense")]),
            headers(&[("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01")]),
            headers(&[("traceparent", PARENT), ("traceparent", PARENT)]),
        ];
        for headers in invalid {
            let trace = TraceContext::continued(&headers);
            assert_ne!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
            assert_eq!(trace.trace_id().len(), 32);
            assert!(trace.traceparent().ends_with("-01"));
            assert_eq!(trace.tracestate(), None);
        }
    }
}
