//! Traces on their way to a collector (ADR 19).
//!
//! Spans are handed to a queue, and a thread of their own sends them on, so that nobody ever waits for a collector. While it
//! is away they are lost, which is told now and then and costs nothing else.
#![expect(clippy::disallowed_methods, reason = "how often something is said is measured here")]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_trait::async_trait;
use axum::http::Uri;
use clap::{Args, ValueEnum};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{Link, SpanKind, TraceId, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingResult, SdkTracer, SdkTracerProvider, ShouldSample,
    SpanData, SpanExporter,
};
use streams_kafka::{Hops, Tracing};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// What is told of traces, and to whom.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Traces")]
pub(crate) struct TraceOptions {
    /// Base address of a collector that takes traces (OTLP over HTTP, to /v1/traces); without it none are told
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "http://HOST:PORT", value_parser = endpoint)]
    pub(crate) otlp_endpoint: Option<String>,

    /// Share of the traces begun here that are told, from 0 to 1; a caller's trace is told if the caller says so
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value = "1", value_name = "SHARE", value_parser = share)]
    pub(crate) trace_share: f64,

    /// How what a record causes is tied to whoever wrote it
    #[arg(long, env = "TRACE_HOPS", default_value = "parent", value_name = "HOW")]
    pub(crate) trace_hops: TraceHops,
}

/// How what a record causes is tied to whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TraceHops {
    /// As a child: all that follows from a request is one trace
    Parent,
    /// By a link: each hop is a trace of its own
    Link,
}

/// What the process tells of its traces; nothing, unless it was told where to.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    provider: Option<SdkTracerProvider>,
    /// Of the engine.
    pub(crate) tracing: Tracing,
    /// Of the server.
    pub(crate) tracer: Option<SdkTracer>,
}

/// Spans that wait to be sent; what is more is lost.
const QUEUE: usize = 8192;
/// Spans in one request.
const BATCH: usize = 1024;
/// How long a span waits for others.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a collector may take for a request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take for the last ones, at the end of the process.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// Between two lines that spans are lost.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);
/// What of its answer is read.
const MOST_ANSWER_BYTES: usize = 64 * 1024;

impl Telemetry {
    /// Begins to tell. Nothing is connected before there is something to tell.
    ///
    /// # Errors
    /// What the environment says of the exporter makes no sense.
    pub(crate) fn started(service: &'static str, instance: u32, options: &TraceOptions) -> anyhow::Result<Self> {
        let Some(endpoint) = options.otlp_endpoint.as_ref().filter(|endpoint| !endpoint.is_empty()) else {
            return Ok(Self::default());
        };
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Collector::new())
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_timeout(PATIENCE)
            .build()
            .context("traces cannot be exported")?;
        let exporter = Patient { exporter, endpoint: endpoint.clone(), lost: Mutex::default() };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(INTERVAL)
            .build();
        let resource = Resource::builder()
            .with_service_name(service)
            .with_attribute(KeyValue::new("service.instance.id", instance.to_string()))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::new(exporter, config))
            .with_sampler(Share(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(options.trace_share)))))
            .with_resource(resource)
            .build();
        let hops = match options.trace_hops {
            TraceHops::Parent => Hops::Parent,
            TraceHops::Link => Hops::Link,
        };
        tracing::info!(endpoint, share = options.trace_share, ?hops, "traces are told");
        Ok(Self {
            tracing: Tracing::new(BoxedTracer::new(Box::new(provider.tracer("streams-kafka"))), hops),
            tracer: Some(provider.tracer("service-kit")),
            provider: Some(provider),
        })
    }

    /// Sends what is left, if that does not take longer than `at_most`.
    pub(crate) async fn flushed(&mut self, at_most: Duration) {
        let Some(provider) = self.provider.take() else { return };
        let at_most = at_most.min(LAST_PATIENCE);
        // Of what does not get through, the exporter has told.
        let flush = spawn_blocking(move || provider.shutdown_with_timeout(at_most));
        let _ = timeout(at_most, flush).await;
    }
}

/// Samples a share of new traces, and all that goes on from a sampled span, as its child or by a link.
#[derive(Clone, Debug)]
struct Share(Sampler);

impl ShouldSample for Share {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let is_linked = links.iter().any(|link| link.span_context.is_sampled());
        let sampler = if is_linked { &Sampler::AlwaysOn } else { &self.0 };
        sampler.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}

/// An exporter that may fail.
#[derive(Debug)]
struct Patient {
    exporter: opentelemetry_otlp::SpanExporter,
    endpoint: String,
    lost: Mutex<Lost>,
}

/// Spans that were lost since that was told last.
#[derive(Debug, Default)]
struct Lost {
    spans: usize,
    told_at: Option<Instant>,
}

impl SpanExporter for Patient {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        if let Err(error) = self.exporter.export(batch).await {
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.spans += spans;
            if lost.told_at.is_none_or(|told_at| told_at.elapsed() > COMPLAINT_INTERVAL) {
                tracing::warn!(endpoint = self.endpoint, spans = lost.spans, %error, "spans are lost");
                *lost = Lost { spans: 0, told_at: Some(Instant::now()) };
            }
        }
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Reaches the collector from the runtime of the process, whoever asks for it on whatever thread.
#[derive(Debug)]
struct Collector {
    client: Client<HttpConnector, Full<Bytes>>,
    runtime: Handle,
}

impl Collector {
    fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Self { client, runtime: Handle::current() }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let exchange = async move {
            let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, MOST_ANSWER_BYTES).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        // The thread that asks has no runtime, and so no timers.
        self.runtime.spawn(async { timeout(PATIENCE, exchange).await }).await??
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let is_base = |url: &Uri| url.scheme_str() == Some("http") && url.host().is_some() && url.query().is_none();
    // As OpenTelemetry has it, what is empty is not set.
    match text.parse() {
        Ok(url) if is_base(&url) => Ok(text.to_owned()),
        _ if text.is_empty() => Ok(String::new()),
        _ => {
            Err("http://, a host and a port are wanted, such as http://127.0.0.1:4318; for TLS put a collector between"
                .to_owned())
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a number between 0 and 1 is wanted".to_owned())
}
