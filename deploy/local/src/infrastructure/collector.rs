use super::jaeger;
use crate::binaries;
use crate::error::Result;
use crate::launch::Launch;
use crate::probe;
use crate::site::Site;

pub(crate) const PORTS: &[(&str, u16)] = &[("collector", 4318), ("collector-grpc", 4317), (PAGES, 55679)];

const PAGES: &str = "collector-pages";

/// Ready once it says so of itself.
pub(crate) const READY: (&str, &str) = (PAGES, "/debug/servicez");

/// The OpenTelemetry Collector, which stands between the services and the trace store. Jaeger is one, with few components
/// more: the same program runs both, each with its own settings.
pub(crate) fn launch(site: &Site) -> Result<Launch> {
    let address = |port| probe::address(site.port(port));
    Ok(Launch::new(site.installation.observers.jaeger()?)
        .arguments([
            "--config".to_string(),
            binaries::workspace().join("deploy/observability/collector.yaml").display().to_string(),
        ])
        .environment("COLLECTOR_OTLP_HTTP", address("collector"))
        .environment("COLLECTOR_OTLP_GRPC", address("collector-grpc"))
        .environment("COLLECTOR_PAGES", address(PAGES))
        .environment("TRACE_STORE", address(jaeger::OTLP_GRPC)))
}
