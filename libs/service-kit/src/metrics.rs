use std::sync::OnceLock;

use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};

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
        let exporter =
            opentelemetry_prometheus::exporter().with_registry(registry.clone()).scope_info_enabled(false).build()?;
        let resource = Resource::builder()
            .with_service_name(service.to_owned())
            .with_attribute(KeyValue::new("service.instance.id", instance.to_string()))
            .build();
        global::set_meter_provider(SdkMeterProvider::builder().with_reader(exporter).with_resource(resource).build());
        Ok(Self { registry })
    }

    /// The current values in Prometheus' text format.
    pub(crate) fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
