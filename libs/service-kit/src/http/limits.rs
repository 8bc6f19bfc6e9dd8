use std::time::Duration;

use clap::Args;

use super::Origins;
use crate::options::milliseconds;

/// What clients may do, and what one of them may cost the process.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "HTTP limits")]
pub struct Limits {
    /// Connections served at a time; further ones wait to be accepted
    #[arg(
        id = "http_max_connections",
        long = "http-max-connections",
        env = "HTTP_MAX_CONNECTIONS",
        default_value = "10000"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,

    /// Requests under way at a time on one HTTP/2 connection; further ones wait at the client
    #[arg(
        id = "http_max_concurrent_streams",
        long = "http-max-concurrent-streams",
        env = "HTTP_MAX_CONCURRENT_STREAMS",
        default_value = "200"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub streams: u32,

    /// Bytes of the head of a request: address and header fields (414, 431)
    #[arg(
        id = "http_max_head_bytes",
        long = "http-max-head-bytes",
        env = "HTTP_MAX_HEAD_BYTES",
        default_value = "16384",
        value_name = "BYTES"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1024..=1_048_576))]
    pub head_bytes: u32,

    /// Bytes of the body of a request (413)
    #[arg(
        id = "http_max_body_bytes",
        long = "http-max-body-bytes",
        env = "HTTP_MAX_BODY_BYTES",
        default_value = "65536",
        value_name = "BYTES"
    )]
    pub body_bytes: usize,

    /// Milliseconds in which the head of a request must arrive; also how long a connection may be idle
    #[arg(
        id = "http_head_timeout_ms",
        long = "http-head-timeout-ms",
        env = "HTTP_HEAD_TIMEOUT_MS",
        default_value = "15000",
        value_name = "MS"
    )]
    #[arg(value_parser = milliseconds)]
    pub head_timeout: Duration,

    /// Milliseconds in which the body of a request must arrive (408)
    #[arg(
        id = "http_body_timeout_ms",
        long = "http-body-timeout-ms",
        env = "HTTP_BODY_TIMEOUT_MS",
        default_value = "10000",
        value_name = "MS"
    )]
    #[arg(value_parser = milliseconds)]
    pub body_timeout: Duration,

    /// Milliseconds in which a request must be answered once its head has arrived (503); longer than any blocking read
    #[arg(
        id = "http_request_timeout_ms",
        long = "http-request-timeout-ms",
        env = "HTTP_REQUEST_TIMEOUT_MS",
        default_value = "70000",
        value_name = "MS"
    )]
    #[arg(value_parser = milliseconds)]
    pub request_timeout: Duration,

    /// Milliseconds in which a client must take some more of an answer, or is cut off
    #[arg(
        id = "http_write_timeout_ms",
        long = "http-write-timeout-ms",
        env = "HTTP_WRITE_TIMEOUT_MS",
        default_value = "30000",
        value_name = "MS"
    )]
    #[arg(value_parser = milliseconds)]
    pub write_timeout: Duration,

    /// Whose pages may call from a browser, as scheme, host and port, separated by commas; nobody else's may
    #[arg(
        id = "http_cors_origins",
        long = "http-cors-origins",
        env = "HTTP_CORS_ORIGINS",
        default_value = "",
        value_name = "ORIGIN,…"
    )]
    pub cors_origins: Origins,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            streams: 200,
            head_bytes: 16 * 1024,
            body_bytes: 64 * 1024,
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(70),
            write_timeout: Duration::from_secs(30),
            cors_origins: Origins::default(),
        }
    }
}
