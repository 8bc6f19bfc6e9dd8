use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::kafka;
use crate::binaries;
use crate::error::{Error, Result};
use crate::launch::Launch;
use crate::probe;
use crate::site::Site;

pub(crate) const PORTS: &[(&str, u16)] = &[("prometheus", 9090)];

/// Ready once it answers queries.
pub(crate) const READY: &str = "/-/ready";

/// What is the same in every environment.
const SHARED: [&str; 2] = ["prometheus.yml", "alerts.yml"];

/// Prometheus with the settings and alerts of every environment, and the targets of this stack. They are copies, so that a
/// test may change its own, and have them read again (`POST /-/reload`).
pub(crate) fn launch(site: &Site) -> Result<Launch> {
    let directory = site.part_directory("prometheus")?;
    let shared = binaries::workspace().join("deploy/observability/prometheus");
    for name in SHARED {
        let from = shared.join(name);
        fs::copy(&from, directory.join(name)).map_err(Error::path("copy", &from))?;
    }
    write_targets(site, &directory)?;
    Ok(Launch::new(&site.installation.observers.prometheus()?.server)
        .arguments([format!("--config.file={}", directory.join(SHARED[0]).display())])
        .arguments([format!("--storage.tsdb.path={}", directory.join("data").display())])
        .arguments([format!("--web.listen-address={}", probe::address(site.port("prometheus")))])
        .arguments(["--web.enable-lifecycle", "--storage.tsdb.retention.time=1d", "--log.level=warn"]))
}

/// A target for each instance of each service, and one for the broker. `instance` is the name of the part instead of an
/// address.
fn write_targets(site: &Site, directory: &Path) -> Result<()> {
    let mut targets = String::new();
    let mut add = |job: &str, instance: &str, component: &str, address: &str| {
        let _ = writeln!(targets, "- targets: [\"{address}\"]");
        let _ = writeln!(targets, "  labels: {{job: {job}, instance: {instance}, component: {component}}}");
    };
    for service in site.addresses().services {
        let address = service.admin_url.trim_start_matches("http://");
        add(&service.service, &service.name, "service", address);
    }
    add("kafka", "kafka", "broker", &probe::address(site.port(kafka::METRICS)).to_string());
    let path = directory.join("targets.yml");
    fs::write(&path, targets).map_err(Error::path("write", &path))
}
