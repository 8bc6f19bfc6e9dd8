//! What the engine tells a tracer: a span for each record that belongs to a sampled trace (ADR 19).
//!
//! A trace context travels in the `traceparent` header, whether or not anybody watches. Where somebody does, a record that is
//! processed has a span, from there until the commit that makes it true, and what follows from the record goes on from that
//! span. Nothing here decides what is processed, written or committed.

use std::fmt::{self, Display};
use std::sync::Arc;

use opentelemetry::global::{BoxedSpan, BoxedTracer};
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};
use rdkafka::Message;
use streams::{Output, Trace};

use crate::Coordinates;
use crate::headers::{TRACEPARENT, header};

/// Where spans go, if anywhere.
#[derive(Clone, Debug, Default)]
pub struct Tracing(Option<Arc<Watcher>>);

/// How what a record causes is tied to the span that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hops {
    /// As a child, so that all that follows from a request is one trace.
    Parent,
    /// By a link, so that each hop is a trace of its own.
    Link,
}

/// The span of one record, which ends when it is dropped. Nothing at all, where nobody watches the trace of the record.
pub struct RecordSpan {
    span: Option<BoxedSpan>,
    trace: Option<Trace>,
}

/// The spans of the records that members of a group read.
#[derive(Clone, Debug)]
pub(crate) struct GroupSpans {
    tracing: Tracing,
    group: Arc<str>,
}

/// The spans of an open epoch.
pub(crate) struct EpochSpans {
    records: GroupSpans,
    open: Vec<RecordSpan>,
    /// That of the last record, if it has one.
    last: Option<usize>,
    /// Joins of the last record: whose trace, with whose, and the span.
    joins: Vec<(Trace, Trace, Option<Trace>)>,
}

/// A tracer, and how hops are tied for it.
#[derive(Debug)]
struct Watcher {
    tracer: BoxedTracer,
    hops: Hops,
}

impl Tracing {
    /// Sends spans there.
    pub fn new(tracer: BoxedTracer, hops: Hops) -> Self {
        Self(Some(Arc::new(Watcher { tracer, hops })))
    }

    /// The span of a record on its way to `topic`, in the trace of whoever writes it.
    pub(crate) fn sending(&self, topic: &str, traceparent: Option<&str>) -> RecordSpan {
        self.span(traceparent.map(Trace::new), Hops::Parent, || {
            let attributes = messaging("send", topic, Vec::with_capacity(6));
            SpanBuilder::from_name(format!("send {topic}")).with_kind(SpanKind::Producer).with_attributes(attributes)
        })
    }

    /// A span of what follows from `trace`, if that is sampled.
    fn span(&self, trace: Option<Trace>, hops: Hops, builder: impl FnOnce() -> SpanBuilder) -> RecordSpan {
        let context = self.0.as_ref().zip(trace.as_ref().and_then(|trace| context(trace.as_str())));
        let Some((tracer, context)) = context.filter(|(_, context)| context.is_sampled()) else {
            return RecordSpan { span: None, trace };
        };
        let (builder, parent) = match hops {
            Hops::Parent => (builder(), Context::new().with_remote_span_context(context)),
            Hops::Link => (builder().with_links(vec![Link::with_context(context)]), Context::new()),
        };
        let span = tracer.tracer.build_with_context(builder, &parent);
        let trace = Some(Trace::new(traceparent(span.span_context())));
        RecordSpan { span: Some(span), trace }
    }

    fn hops(&self) -> Hops {
        self.0.as_ref().map_or(Hops::Parent, |tracer| tracer.hops)
    }
}

impl GroupSpans {
    pub(crate) fn new(tracing: Tracing, group: &str) -> Self {
        Self { tracing, group: group.into() }
    }

    /// The span of a record that is processed.
    pub(crate) fn processing(&self, message: &impl Message) -> RecordSpan {
        self.span(message, || {
            let attributes = [
                KeyValue::new("messaging.consumer.group.name", self.group.clone()),
                KeyValue::new("messaging.destination.partition.id", message.partition().to_string()),
                KeyValue::new("messaging.kafka.offset", message.offset()),
            ];
            let key = message.key().and_then(|key| std::str::from_utf8(key).ok());
            let key = key.map(|key| KeyValue::new("messaging.kafka.message.key", key.to_string()));
            let attributes = messaging("process", message.topic(), attributes.into_iter().chain(key).collect());
            let name = format!("process {}", message.topic());
            SpanBuilder::from_name(name).with_kind(SpanKind::Consumer).with_attributes(attributes)
        })
    }

    /// The span of a call to somebody outside for the sake of a record.
    pub(crate) fn calling(&self, name: &'static str, message: &impl Message) -> RecordSpan {
        self.span(message, || SpanBuilder::from_name(name).with_kind(SpanKind::Client))
    }

    fn span(&self, message: &impl Message, builder: impl FnOnce() -> SpanBuilder) -> RecordSpan {
        let trace = header(message, TRACEPARENT).map(Trace::new);
        self.tracing.span(trace, self.tracing.hops(), builder)
    }
}

impl EpochSpans {
    pub(crate) fn new(tracing: Tracing, group: &str) -> Self {
        Self { records: GroupSpans::new(tracing, group), open: Vec::new(), last: None, joins: Vec::new() }
    }

    /// A record is processed; returns the trace in which what follows from it goes on.
    pub(crate) fn begin(&mut self, message: &impl Message) -> Option<Trace> {
        self.joins.clear();
        let span = self.records.processing(message);
        let trace = span.trace.clone();
        self.last = span.span.is_some().then_some(self.open.len());
        self.hold(span);
        trace
    }

    /// The trace in which an output goes on. A join is a span of its own, in the trace of the one record and linked to that of
    /// the other.
    pub(crate) fn of_output(&mut self, output: &Output) -> Option<Trace> {
        let (Some(trace), Some(joined)) = (&output.trace, &output.joined) else { return output.trace.clone() };
        if let Some((.., known)) = self.joins.iter().find(|(own, other, _)| (own, other) == (trace, joined)) {
            return known.clone();
        }
        let span = self.records.tracing.span(Some(trace.clone()), Hops::Parent, || {
            let links = context(joined.as_str()).map(Link::with_context);
            SpanBuilder::from_name("join").with_links(links.into_iter().collect())
        });
        let known = span.trace.clone();
        self.hold(span);
        self.joins.push((trace.clone(), joined.clone(), known.clone()));
        known
    }

    /// The last record cannot be handled.
    pub(crate) fn refused(&mut self, cause: &dyn Display) {
        if let Some(span) = self.last.and_then(|last| self.open.get_mut(last)) {
            span.fail(cause);
        }
    }

    /// All that was begun is true now, or makes nothing true that was not.
    pub(crate) fn end(&mut self) {
        self.open.clear();
    }

    /// Nothing of it has happened.
    pub(crate) fn abort(&mut self) {
        for mut span in self.open.drain(..) {
            span.fail(&"the epoch was aborted");
        }
    }

    fn hold(&mut self, span: RecordSpan) {
        if span.span.is_some() {
            self.open.push(span);
        }
    }
}

impl RecordSpan {
    /// The W3C trace context for what follows: that of the span, or that of the record where it has none.
    pub fn traceparent(&self) -> Option<&str> {
        self.trace.as_ref().map(Trace::as_str)
    }

    /// Tells why it came to no good end.
    pub fn fail(&mut self, cause: &dyn Display) {
        if let Some(span) = &mut self.span {
            let cause = cause.to_string();
            span.add_event("failed", vec![KeyValue::new("cause", cause.clone())]);
            span.set_status(Status::error(cause));
        }
    }

    /// Tells where the record was written.
    pub(crate) fn landed(&mut self, at: Coordinates) {
        if let Some(span) = &mut self.span {
            span.set_attribute(KeyValue::new("messaging.destination.partition.id", at.partition.to_string()));
            span.set_attribute(KeyValue::new("messaging.kafka.offset", at.offset));
        }
    }
}

impl fmt::Debug for RecordSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordSpan").field("trace", &self.trace).finish_non_exhaustive()
    }
}

/// The trace id of a W3C trace context.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    context(traceparent)?;
    traceparent.get(3..35)
}

/// What all spans about a record say, as OpenTelemetry's semantic conventions for messaging name it.
fn messaging(operation: &'static str, topic: &str, mut attributes: Vec<KeyValue>) -> Vec<KeyValue> {
    attributes.push(KeyValue::new("messaging.system", "kafka"));
    attributes.push(KeyValue::new("messaging.operation.name", operation));
    attributes.push(KeyValue::new("messaging.operation.type", operation));
    attributes.push(KeyValue::new("messaging.destination.name", topic.to_string()));
    attributes
}

/// Reads a `traceparent` (W3C Trace Context, section 3.2); nothing, if it is none.
fn context(traceparent: &str) -> Option<SpanContext> {
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut fields = traceparent.split('-');
    let mut field = |length: usize| fields.next().filter(|field| field.len() == length && is_hex(field));
    let (version, trace_id, span_id, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
    if version == "ff" || version == "00" && fields.next().is_some() {
        return None;
    }
    let (trace_id, span_id) = (TraceId::from_hex(trace_id).ok()?, SpanId::from_hex(span_id).ok()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let context = SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE);
    context.is_valid().then_some(context)
}

fn traceparent(context: &SpanContext) -> String {
    format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_context_is_written_as_it_was_read() {
        assert_eq!(context(PARENT).as_ref().map(traceparent).as_deref(), Some(PARENT));
        assert_eq!(trace_id(PARENT), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert!(context(&PARENT.replace("-01", "-00")).is_some_and(|context| !context.is_sampled()));
        assert!(context(&PARENT.replacen("00", "01", 1)).is_some(), "of a later version what is known is read");
    }

    #[test]
    fn what_is_no_trace_context_is_none() {
        let upper = PARENT.to_uppercase();
        let more = format!("{PARENT}-00");
        let zeros = PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        for text in ["", "nonsense", "00-1-2-01", &PARENT[1..], &PARENT.replace("00-4", "ff-4"), &upper, &more, &zeros]
        {
            assert_eq!(trace_id(text), None, "{text}");
        }
    }

    #[test]
    fn where_nobody_watches_the_trace_is_carried_on() {
        let span = Tracing::default().sending("readings", Some(PARENT));
        assert!(span.span.is_none());
        assert_eq!(span.traceparent(), Some(PARENT));
    }
}
