//! What Prometheus itself says to the files it is given.

use std::process::Command;

use anyhow::ensure;
use local::Interrupt;

#[test]
fn prometheus_understands_its_settings_and_alerts() -> anyhow::Result<()> {
    promtool(&["check", "config", "prometheus.yml"])
}

#[test]
fn every_alert_passes_its_unit_tests() -> anyhow::Result<()> {
    promtool(&["test", "rules", "alerts_test.yml"])
}

fn promtool(arguments: &[&str]) -> anyhow::Result<()> {
    let mut promtool = Command::new(local::promtool(&Interrupt::default())?);
    promtool.args(arguments).current_dir(local::workspace().join("deploy/observability/prometheus"));
    let output = promtool.output()?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "promtool {}: {}{}",
        arguments.join(" "),
        said(&output.stdout),
        said(&output.stderr)
    );
    Ok(())
}
