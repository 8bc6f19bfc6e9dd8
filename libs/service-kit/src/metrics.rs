use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::metrics::AsyncInstrument;
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};

use crate::readiness::Readiness;

/// A figure of the service's own that only grows, to be found among its metrics. A static, since what counts may be declared
/// before anything is measured: in a topology.
#[derive(Debug)]
pub struct Counter {
    name: &'static str,
    description: &'static str,
    counter: OnceLock<opentelemetry::metrics::Counter<u64>>,
}

impl Counter {
    /// A counter of this name, which appears when something is counted.
    pub const fn new(name: &'static str, description: &'static str) -> Self {
        Self { name, description, counter: OnceLock::new() }
    }

    /// Counts so many more. What a stream thread has to do over again counts again.
    pub fn add(&self, number: u64) {
        let build = || global::meter("service").u64_counter(self.name).with_description(self.description).build();
        self.counter.get_or_init(build).add(number, &[]);
    }
}

/// A distribution of the service's own, in seconds, to be found among its metrics.
#[derive(Debug)]
pub struct Histogram {
    name: &'static str,
    description: &'static str,
    /// Upper bounds of its buckets.
    boundaries: &'static [f64],
    histogram: OnceLock<opentelemetry::metrics::Histogram<f64>>,
}

impl Histogram {
    /// A histogram of this name, without the unit; it appears when something is measured.
    pub const fn new(name: &'static str, description: &'static str, boundaries: &'static [f64]) -> Self {
        Self { name, description, boundaries, histogram: OnceLock::new() }
    }

    /// Something has taken so long.
    pub fn record(&self, took: Duration) {
        let build = || {
            let meter = global::meter("service");
            let builder = meter.f64_histogram(self.name).with_unit("s");
            builder.with_description(self.description).with_boundaries(self.boundaries.to_vec()).build()
        };
        self.histogram.get_or_init(build).record(took.as_secs_f64(), &[]);
    }
}

/// One of several figures of a kind, with the labels that tell it from the others.
#[derive(Clone, Debug)]
pub struct Reading {
    labels: Vec<KeyValue>,
    value: u64,
}

impl Reading {
    /// One with these labels; none, where it is the only one of its kind.
    pub fn new<const N: usize>(value: u64, labels: [(&'static str, &str); N]) -> Self {
        let label = |(name, label): (&'static str, &str)| KeyValue::new(name, label.to_owned());
        Self { labels: labels.map(label).into(), value }
    }
}

/// Figures of the service's own that rise and fall, to be found among its metrics: `read` says, whenever somebody asks, what
/// they are by then. What it leaves out vanishes.
pub fn observe(name: &'static str, description: &'static str, read: impl Fn() -> Vec<Reading> + Send + Sync + 'static) {
    let told = move |gauge: &dyn AsyncInstrument<u64>| {
        read().iter().for_each(|reading| gauge.observe(reading.value, &reading.labels));
    };
    global::meter("service").u64_observable_gauge(name).with_description(description).with_callback(told).build();
}

/// Everything the process measures. Whoever creates an instrument with OpenTelemetry's global meter finds it here; nothing
/// is computed until somebody asks.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Stands behind the global meter from here on; instruments that were created before are lost.
    pub(crate) fn install(service: &str, instance: u32) -> anyhow::Result<Self> {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let exporter =
            opentelemetry_prometheus::exporter().with_registry(registry.clone()).scope_info_enabled(false).build()?;
        let resource = Resource::builder()
            .with_service_name(service.to_owned())
            .with_attribute(KeyValue::new("service.instance.id", instance.to_string()))
            .build();
        global::set_meter_provider(SdkMeterProvider::builder().with_reader(exporter).with_resource(resource).build());
        observe("service_build_info", "What is running: always 1", || {
            let revision = option_env!("SERVICE_REVISION").unwrap_or("unknown");
            vec![Reading::new(1, [("version", env!("CARGO_PKG_VERSION")), ("revision", revision)])]
        });
        Ok(Self { registry })
    }

    /// Tells whether the process is ready.
    pub(crate) fn observe_readiness(&self, readiness: Readiness) {
        observe("service_ready", "1 while the process is ready, else 0", move || {
            vec![Reading::new(readiness.state().is_ready().into(), [])]
        });
    }

    /// The current values in Prometheus' text format.
    pub(crate) fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
