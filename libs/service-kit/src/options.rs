use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::http::Limits;
use crate::telemetry::TraceOptions;

/// The options that every service has, each a flag and an environment variable; a service adds its own.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Kafka")]
pub struct KitOptions {
    /// Brokers to begin with, as host:port, separated by commas
    #[arg(long, env = "KAFKA_BOOTSTRAP", default_value = "127.0.0.1:9092", value_name = "HOST:PORT,…")]
    pub kafka_bootstrap: String,

    /// Base address of a schema registry with the Confluent API
    #[arg(long, env = "SCHEMA_REGISTRY_URL", default_value = "http://127.0.0.1:8081", value_name = "URL")]
    pub schema_registry_url: String,

    /// Put before the name of every topic, group and transaction, so that several systems share a broker
    #[arg(long, env = "TOPIC_PREFIX", default_value = "", value_name = "PREFIX", value_parser = topic_prefix)]
    pub topic_prefix: String,

    /// Slot of this instance: no two instances of a service run in one slot, and a restarted one comes back in its own
    #[arg(long, env = "INSTANCE", default_value = "0", value_name = "NUMBER")]
    pub instance: u32,

    /// Threads that share the partitions of this instance, each with a consumer and a transactional producer of its own
    #[arg(long, env = "STREAM_THREADS", default_value = "1", value_name = "NUMBER", value_parser = stream_threads)]
    pub stream_threads: usize,

    /// Directory for the stores, so that a restart reads only what came since; without it they are kept in memory
    #[arg(long, env = "STATE_DIR", value_name = "PATH")]
    pub state_dir: Option<PathBuf>,

    /// Where the other instances of the service reach this one's admin port; unless given, where --admin-listen says
    #[arg(long, env = "ADVERTISED_URL", value_name = "http://HOST:PORT", value_parser = advertised_url)]
    pub advertised_url: Option<String>,

    /// Milliseconds in which the brokers must acknowledge what is journaled; shorter than a request may take
    #[arg(long = "journal-timeout-ms", env = "JOURNAL_TIMEOUT_MS", default_value = "5000", value_name = "MS")]
    #[arg(value_parser = milliseconds)]
    pub journal_timeout: Duration,

    /// Where HTTP requests are taken
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    #[arg(help_heading = "Process")]
    pub listen: SocketAddr,

    /// Where probes, metrics and the other instances are served: /livez, /readyz, /metrics, /leave, /stores
    #[arg(long, env = "ADMIN_LISTEN", default_value = "127.0.0.1:9464", value_name = "ADDRESS:PORT")]
    #[arg(help_heading = "Process")]
    pub admin_listen: SocketAddr,

    /// Milliseconds between the signal to stop and the end of the process
    #[arg(long = "drain-deadline-ms", env = "DRAIN_DEADLINE_MS", default_value = "10000", value_name = "MS")]
    #[arg(help_heading = "Process", value_parser = milliseconds)]
    pub drain_deadline: Duration,

    /// What is logged: a level, or levels by module such as info,service_kit=debug
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "FILTER", value_parser = log_filter)]
    #[arg(help_heading = "Process")]
    pub log: String,

    /// How log lines look
    #[arg(long, env = "LOG_FORMAT", default_value = "auto", value_name = "FORMAT", help_heading = "Process")]
    pub log_format: LogFormat,

    #[command(flatten)]
    pub(crate) traces: TraceOptions,

    #[command(flatten)]
    pub(crate) http: Limits,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people on a terminal, JSON everywhere else
    Auto,
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// Reads a positive whole number of milliseconds. The parser of every option that is a span of time, a service's too:
/// `#[arg(long = "patience-ms", value_parser = service_kit::milliseconds)]`.
///
/// # Errors
/// The text is something else.
pub fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(Duration::from_millis(number)),
        _ => Err("a whole number of milliseconds, at least 1, is wanted".to_owned()),
    }
}

fn topic_prefix(text: &str) -> Result<String, String> {
    // Kafka's alphabet for names of topics.
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.len() <= 100 && text.bytes().all(is_legal) {
        Ok(text.to_owned())
    } else {
        Err("at most 100 of the characters A–Z a–z 0–9 . _ - are wanted".to_owned())
    }
}

fn stream_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=64) => Ok(number),
        _ => Err("a whole number between 1 and 64 is wanted".to_owned()),
    }
}

fn advertised_url(text: &str) -> Result<String, String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    // What is read must be all there is: no path, no query, no name of a user.
    let is_host_and_port = |url: &Uri| match (url.host(), url.port_u16()) {
        (Some(host), Some(port)) => text == format!("http://{host}:{port}"),
        _ => false,
    };
    match text.parse() {
        Ok(url) if is_host_and_port(&url) => Ok(text.to_owned()),
        _ => Err("http://, a host, a colon and a port are wanted, and no path".to_owned()),
    }
}

fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        kit: KitOptions,
    }

    fn parsed(arguments: &[&str]) -> Result<KitOptions, String> {
        let arguments = [&["service"], arguments].concat();
        Arguments::try_parse_from(arguments).map(|parsed| parsed.kit).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_is_documented_and_has_an_environment_variable() {
        for argument in Arguments::command().get_arguments() {
            assert!(argument.get_help().is_some(), "{argument}");
            assert!(argument.get_env().is_some(), "{argument}");
        }
    }

    #[test]
    fn a_bad_value_is_refused_with_a_sentence_that_names_the_option() {
        let refused = [
            ["--drain-deadline-ms", "soon"],
            ["--drain-deadline-ms", "0"],
            ["--listen", "8080"],
            ["--topic-prefix", "a/b"],
            ["--log", "a=b=c"],
            ["--log-format", "xml"],
            ["--instance", "-1"],
            ["--stream-threads", "0"],
            ["--stream-threads", "65"],
            ["--advertised-url", "heat-0:9464"],
            ["--advertised-url", "https://heat-0:9464"],
            ["--advertised-url", "http://heat-0"],
            ["--advertised-url", "http://heat-0:9464/stores"],
            ["--advertised-url", "http://heat-0:9464#a"],
            ["--advertised-url", "http://me@heat-0:9464"],
            ["--advertised-url", "http://heat-0:9464?a"],
            ["--http-max-connections", "0"],
            ["--http-write-timeout-ms", "0"],
            ["--http-cors-origins", "*"],
            ["--otlp-endpoint", "127.0.0.1:4318"],
            ["--otlp-endpoint", "https://127.0.0.1:4318"],
            ["--otlp-endpoint", "http://127.0.0.1:4318/?a"],
            ["--trace-share", "1.1"],
            ["--trace-share", "all"],
            ["--trace-hops", "both"],
        ];
        for [option, value] in refused {
            let error = parsed(&[&format!("{option}={value}")]).unwrap_err();
            assert!(error.contains(option) && error.contains(value), "{error}");
        }
    }

    #[test]
    fn an_instance_is_advertised_by_host_and_port() {
        for url in ["http://heat-0.heat:9464", "http://127.0.0.1:1", "http://[::1]:9464"] {
            let kit = parsed(&["--advertised-url", url]).unwrap();
            assert_eq!(kit.advertised_url.as_deref(), Some(url));
        }
        let kit = parsed(&["--advertised-url", "http://heat-0:9464/"]).unwrap();
        assert_eq!(kit.advertised_url.as_deref(), Some("http://heat-0:9464"));
    }

    #[test]
    fn the_limits_that_need_no_options_are_those_of_the_options() {
        let limits = parsed(&[]).unwrap().http;
        assert_eq!(format!("{limits:?}"), format!("{:?}", Limits::default()));
    }
}
