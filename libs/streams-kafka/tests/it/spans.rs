//! What a tracer is told of records that are journaled, processed, joined and taken out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status as SpanStatus, TracerProvider};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};
use streams::{JoinWindow, Joined, Timestamp, Topic, Topology};
use streams_kafka::headers::TRACEPARENT;
use streams_kafka::{Hops, Journal, Tracing};
use test_kit::{RawRecord, eventually_blocking};

use crate::aborts::fence;
use crate::rig::{AMOUNTS, Amount, DEADLINE, Gate, Rig, SUMS, TOTALS, adder, plain_adder};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The spans that have ended.
#[derive(Clone, Debug, Default)]
pub struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Ended {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Ended {
    pub fn named(&self, name: &str) -> Vec<SpanData> {
        self.0.lock().unwrap().iter().filter(|span| span.name == name).cloned().collect()
    }

    /// The only span of this name, when it has ended.
    pub fn only(&self, name: &str) -> SpanData {
        let ended = || Some(self.named(name)).filter(|spans| !spans.is_empty());
        let mut spans = eventually_blocking(&format!("`{name}` has ended"), DEADLINE, ended);
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.remove(0)
    }
}

/// A rig that is watched.
pub fn watched(rig: &mut Rig, hops: Hops) -> Ended {
    let ended = Ended::default();
    let provider = SdkTracerProvider::builder().with_span_processor(ended.clone()).build();
    rig.settings.tracing = Tracing::new(BoxedTracer::new(Box::new(provider.tracer("test"))), hops);
    ended
}

/// Sends amounts on by their sign, and adds up those of one sign.
fn sorter() -> Topology {
    let topology = Topology::new("adder");
    topology
        .stream(&AMOUNTS)
        .rekey("by-sign", |amount| if amount.cents < 0 { "out" } else { "in" }.to_string())
        .process(&TOTALS, |amount, totals| {
            totals.put(amount.key, amount.value);
            [amount.value.clone()]
        })
        .to(&SUMS);
    topology
}

pub fn traced(record: RawRecord, traceparent: &str) -> RawRecord {
    record.header(TRACEPARENT, traceparent)
}

/// The trace context of the records of a topic.
fn traceparents(rig: &Rig, topic: &str) -> Vec<Option<String>> {
    let text = |record: &RawRecord| Some(String::from_utf8(record.header_value(TRACEPARENT)?.to_vec()).unwrap());
    rig.read(topic).iter().map(text).collect()
}

fn written(context: &SpanContext) -> Option<String> {
    Some(format!("00-{}-{}-01", context.trace_id(), context.span_id()))
}

fn attribute(span: &SpanData, name: &str) -> Value {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    found.unwrap_or_else(|| panic!("{name} is missing: {span:?}")).value.clone()
}

#[test]
fn each_hop_is_a_child_of_the_one_before() {
    let mut rig = Rig::new(sorter());
    let ended = watched(&mut rig, Hops::Parent);
    let streams = rig.start_and_await(sorter());
    let source = rig.write([traced(rig.encoded("a", 10), PARENT)]).remove(0);
    assert_eq!(rig.await_sums(1), [10]);

    let first = ended.only(&format!("process {}", rig.settings.topic("amounts")));
    let second = ended.only(&format!("process {}", rig.settings.topic("adder-by-sign-repartition")));
    streams.join();
    assert_eq!(first.parent_span_id, SpanId::from_hex("00f067aa0ba902b7").unwrap());
    assert_eq!(second.parent_span_id, first.span_context.span_id());
    for span in [&first, &second] {
        assert_eq!((span.span_context.trace_id().to_string().as_str(), &span.span_kind), (TRACE, &SpanKind::Consumer));
        assert_eq!(span.status, SpanStatus::Unset);
    }
    assert_eq!(traceparents(&rig, "adder-by-sign-repartition"), [written(&first.span_context)]);
    assert_eq!(traceparents(&rig, "sums"), [written(&second.span_context)]);
    let expected: [(&str, Value); 7] = [
        ("messaging.system", "kafka".into()),
        ("messaging.operation.type", "process".into()),
        ("messaging.destination.name", rig.settings.topic("amounts").into()),
        ("messaging.destination.partition.id", source.partition.to_string().into()),
        ("messaging.kafka.offset", source.offset.into()),
        ("messaging.kafka.message.key", "a".into()),
        ("messaging.consumer.group.name", rig.settings.topic("adder").into()),
    ];
    for (name, value) in expected {
        assert_eq!(attribute(&first, name), value, "{name}");
    }
}

#[test]
fn each_hop_is_a_trace_of_its_own_if_hops_are_linked() {
    let mut rig = Rig::new(sorter());
    let ended = watched(&mut rig, Hops::Link);
    let streams = rig.start_and_await(sorter());
    rig.write([traced(rig.encoded("a", 10), PARENT)]);
    assert_eq!(rig.await_sums(1), [10]);

    let first = ended.only(&format!("process {}", rig.settings.topic("amounts")));
    let second = ended.only(&format!("process {}", rig.settings.topic("adder-by-sign-repartition")));
    streams.join();
    let linked = |span: &SpanData| span.links.iter().map(|link| written(&link.span_context)).collect::<Vec<_>>();
    assert_eq!(linked(&first), [Some(PARENT.to_string())]);
    assert_eq!(linked(&second), [written(&first.span_context)]);
    assert!([&first, &second].iter().all(|span| span.parent_span_id == SpanId::INVALID));
    assert_ne!(first.span_context.trace_id(), second.span_context.trace_id());
    assert_eq!(traceparents(&rig, "sums"), [written(&second.span_context)]);
}

#[test]
fn a_span_lasts_until_the_commit_and_an_abort_is_told() {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let meddle = move |total: &Amount| {
        if total.cents == 30 {
            at_gate.stand();
        }
        total.clone()
    };
    let mut rig = Rig::new(plain_adder());
    let ended = watched(&mut rig, Hops::Parent);
    let streams = rig.start_and_await(adder(meddle));
    // In one partition, so that the second is processed in the epoch of the first or after its commit.
    rig.write([traced(rig.encoded("a", 30), PARENT), traced(rig.encoded("a", 12), OTHER)]);
    gate.await_arrival();
    assert!(ended.named(&format!("process {}", rig.settings.topic("amounts"))).is_empty(), "nothing is committed yet");
    fence(&rig, "adder-0-0");
    gate.open();
    assert_eq!(rig.await_sums(2), [30, 42]);

    let spans = eventually_blocking("the spans have ended", DEADLINE, || {
        let spans = ended.named(&format!("process {}", rig.settings.topic("amounts")));
        let done = spans.iter().filter(|span| span.status == SpanStatus::Unset).count();
        (done == 2).then_some(spans)
    });
    streams.join();
    let of_first = spans.iter().filter(|span| span.span_context.trace_id().to_string() == TRACE);
    let (failed, done): (Vec<_>, Vec<_>) = of_first.partition(|span| span.status != SpanStatus::Unset);
    assert!(!failed.is_empty() && done.len() == 1, "{spans:?}");
    assert!(failed.iter().all(|span| span.status == SpanStatus::error("the epoch was aborted")), "{failed:?}");
    assert_eq!(
        traceparents(&rig, "sums")[0],
        written(&done[0].span_context),
        "what is true follows from what was done"
    );
}

#[test]
fn where_nobody_watches_the_trace_is_carried_on() {
    let rig = Rig::new(sorter());
    let streams = rig.start_and_await(sorter());
    rig.write([traced(rig.encoded("a", 10), PARENT), rig.encoded("a", 20)]);
    assert_eq!(rig.await_sums(2).len(), 2);
    streams.join();
    let carried = [Some(PARENT.to_string()), None];
    assert_eq!(traceparents(&rig, "adder-by-sign-repartition"), carried);
    assert_eq!(traceparents(&rig, "sums"), carried);
}

#[test]
fn a_trace_that_is_not_sampled_is_carried_on_and_not_told() {
    let mut rig = Rig::new(sorter());
    let ended = watched(&mut rig, Hops::Parent);
    let streams = rig.start_and_await(sorter());
    let unsampled = PARENT.replace("-01", "-00");
    rig.write(["nonsense", &*unsampled].map(|traceparent| traced(rig.encoded("a", 10), traceparent)));
    assert_eq!(rig.await_sums(2).len(), 2);
    streams.join();
    assert!(ended.0.lock().unwrap().is_empty(), "{ended:?}");
    assert_eq!(traceparents(&rig, "sums"), [Some("nonsense".to_string()), Some(unsampled)]);
}

const BILLS: Topic<Amount> = Topic::new("bills", "waiters", |bill| bill.till.clone());

/// Adds each bill to the amount it belongs to.
fn cashier() -> Topology {
    let topology = Topology::new("adder");
    let window = JoinWindow { within: Duration::from_secs(10), grace: Duration::from_secs(1) };
    topology
        .stream(&AMOUNTS)
        .outer_join("settled", topology.stream(&BILLS), window)
        .flat_map(|joined| match joined.value {
            Joined::Both(amount, bill) => Some(Amount { cents: amount.cents + bill.cents, ..amount.clone() }),
            _ => None,
        })
        .to(&SUMS);
    topology
}

#[test]
fn a_join_is_told_in_the_trace_of_the_left_record_with_a_link_to_the_right_one() {
    let mut rig = Rig::new(cashier());
    let ended = watched(&mut rig, Hops::Parent);
    // The amount waits, and its trace with it, while the process is replaced.
    let streams = rig.start_and_await(cashier());
    rig.write([traced(rig.encoded("a", 5).at_ms(100_000), PARENT)]);
    let amount = ended.only(&format!("process {}", rig.settings.topic("amounts")));
    streams.join();
    let streams = rig.start_and_await(cashier());
    let bill = traced(rig.encoded("a", 100).at_ms(101_000), OTHER);
    rig.broker.write(&rig.settings.topic("bills"), [bill]).unwrap();
    assert_eq!(rig.await_sums(1), [105]);

    let bill = ended.only(&format!("process {}", rig.settings.topic("bills")));
    let join = ended.only("join");
    streams.join();
    assert_eq!(join.parent_span_id, amount.span_context.span_id());
    assert_eq!(join.span_context.trace_id().to_string(), TRACE);
    assert_eq!(
        join.links.iter().map(|link| written(&link.span_context)).collect::<Vec<_>>(),
        [written(&bill.span_context)]
    );
    assert_eq!(traceparents(&rig, "sums"), [written(&join.span_context)]);
}

#[test]
fn what_is_journaled_is_told_by_whoever_sends_it() {
    let mut rig = Rig::new(plain_adder());
    let ended = watched(&mut rig, Hops::Link);
    let journal = Journal::new(rig.settings.clone(), rig.schemas.clone(), DEADLINE).unwrap();
    let amount = Amount { till: "a".to_string(), cents: 10, note: String::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let at = runtime.block_on(journal.append(&AMOUNTS, &amount, Timestamp(1), Some(PARENT))).unwrap();

    let span = ended.only(&format!("send {}", rig.settings.topic("amounts")));
    assert_eq!(span.parent_span_id, SpanId::from_hex("00f067aa0ba902b7").unwrap(), "it is in the trace of its sender");
    assert_eq!(span.span_kind, SpanKind::Producer);
    assert_eq!(attribute(&span, "messaging.kafka.offset"), at.offset.into());
    assert_eq!(traceparents(&rig, "amounts"), [written(&span.span_context)]);
}
