use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};

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
