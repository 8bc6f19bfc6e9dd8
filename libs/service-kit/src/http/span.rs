use axum::extract::MatchedPath;
use axum::http::{HeaderMap, Method, StatusCode};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, Tracer as _};
use opentelemetry_sdk::trace::{SdkTracer, Span};

use super::TraceContext;
use super::edge::known;

/// The span of a request, as OpenTelemetry's semantic conventions for HTTP want it: from its arrival to the head of its
/// answer. None, where nobody watches.
pub(super) struct ServerSpan {
    span: Option<Span>,
    /// The place in the trace of what the request causes.
    pub(super) trace: TraceContext,
}

impl ServerSpan {
    pub(super) fn begun(
        tracer: Option<&SdkTracer>,
        method: &Method,
        path: &str,
        route: Option<&MatchedPath>,
        headers: &HeaderMap,
    ) -> Self {
        let span = tracer.map(|tracer| {
            let method = known(method);
            let name = match route {
                Some(route) => format!("{method} {}", route.as_str()),
                None => method.to_string(),
            };
            let mut attributes = vec![
                KeyValue::new("http.request.method", method),
                KeyValue::new("url.scheme", "http"),
                KeyValue::new("url.path", path.to_owned()),
            ];
            attributes.extend(route.map(|route| KeyValue::new("http.route", route.as_str().to_owned())));
            let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_attributes(attributes);
            tracer.build_with_context(builder, &TraceContext::parent(headers))
        });
        // When the last spans have been sent there are no more.
        let span = span.filter(|span| span.span_context().is_valid());
        let trace = match &span {
            Some(span) => TraceContext::of(span.span_context()),
            None => TraceContext::continued(headers),
        };
        Self { span, trace }
    }

    pub(super) fn answered(mut self, status: StatusCode) {
        if let Some(span) = &mut self.span {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
            if status.is_server_error() {
                span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
                span.set_status(Status::error(""));
            }
        }
    }
}
