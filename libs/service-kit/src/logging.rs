use std::backtrace::Backtrace;
use std::io::{IsTerminal, stderr};
use std::panic;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::options::LogFormat;

/// Libraries whose talk is left out unless it is asked for by name: OpenTelemetry tells of its own setting up, and the Kafka
/// client repeats several times a second that a broker is away, which the readiness says once.
const QUIET: &str = "opentelemetry=warn,librdkafka=off,rdkafka=off";

/// Sends what is logged, and panics, to standard error, from here to the end of the process. Standard output is left to
/// what a command answers.
///
/// A JSON line has `timestamp`, `level`, `target`, `message`, the fields of the event, and under `span` the request's
/// `trace_id`, `method` and `path`.
pub(crate) fn install(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))?;
    let lines = fmt().with_env_filter(filter).with_writer(stderr);
    let is_for_people = match format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let installed = if is_for_people {
        lines.with_ansi(stderr().is_terminal()).with_target(false).try_init()
    } else {
        lines.json().flatten_event(true).with_span_list(false).try_init()
    };
    installed.map_err(|error| anyhow::anyhow!("logging cannot be set up: {error}"))?;
    panic::set_hook(Box::new(|panic| {
        // Captured only where RUST_BACKTRACE asks for it.
        let backtrace = Backtrace::capture();
        tracing::error!(%backtrace, "{panic}");
    }));
    Ok(())
}
