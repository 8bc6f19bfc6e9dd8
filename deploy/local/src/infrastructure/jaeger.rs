use crate::binaries;
use crate::error::Result;
use crate::launch::Launch;
use crate::probe;
use crate::site::Site;

pub(crate) const PORTS: &[(&str, u16)] =
    &[("jaeger", 16686), ("jaeger-grpc", 16685), (OTLP_HTTP, 14318), (OTLP_GRPC, 14317)];

/// Where it takes traces.
pub(crate) const OTLP_HTTP: &str = "jaeger-otlp-http";
pub(crate) const OTLP_GRPC: &str = "jaeger-otlp-grpc";

/// Ready once its storage can be asked.
pub(crate) const READY: &str = "/api/services";

/// Jaeger as the trace store, with what it keeps in memory. It has the same settings everywhere; only its addresses differ.
pub(crate) fn launch(site: &Site) -> Result<Launch> {
    let address = |port| probe::address(site.port(port));
    Ok(Launch::new(site.installation.observers.jaeger()?)
        .arguments([
            "--config".to_string(),
            binaries::workspace().join("deploy/observability/jaeger.yaml").display().to_string(),
        ])
        .environment("JAEGER_QUERY_HTTP", address("jaeger"))
        .environment("JAEGER_QUERY_GRPC", address("jaeger-grpc"))
        .environment("JAEGER_OTLP_HTTP", address(OTLP_HTTP))
        .environment("JAEGER_OTLP_GRPC", address(OTLP_GRPC)))
}
