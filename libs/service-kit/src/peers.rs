use std::fmt::Write;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use thiserror::Error;
use tokio::time::timeout;

/// How long an instance may take to connect, and to answer beyond the time it was given. One that takes longer counts as
/// stalled, and its partitions soon are somebody else's.
const MARGIN: Duration = Duration::from_secs(1);

/// How often a connection is tried out on which answers are awaited.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// Asks other instances of the service for what they serve: see [`stores`](crate::stores).
///
/// HTTP/2 by prior knowledge, so that any number of waiting questions takes one connection for each instance.
#[derive(Clone, Debug)]
pub(crate) struct Peers(Client<HttpConnector, Empty<Bytes>>);

/// What an instance says of a key it serves.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A value, encoded, and its tag: another than the one that is known.
    Value { bytes: Bytes, tag: HeaderValue },
    /// The value has not changed, or there is none, all the time.
    NothingNew,
}

/// Why an instance has not answered. Whoever asked finds out anew whom to ask.
#[derive(Debug, Error)]
pub(crate) enum Unanswered {
    #[error("its address cannot be used: {0}")]
    Address(#[from] axum::http::Error),
    #[error("it cannot be reached: {0}")]
    Connection(#[from] hyper_util::client::legacy::Error),
    #[error("its answer broke off: {0}")]
    BrokenOff(#[from] hyper::Error),
    #[error("it has stalled")]
    Stalled,
    #[error("it does not serve the key: {0}")]
    NotServed(StatusCode),
}

impl Peers {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(MARGIN));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .http2_only(true)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(MARGIN)
            .build(connector);
        Self(client)
    }

    /// Asks the instance at `url` for the value of `key`, and lets it wait so long for one with another tag than `known`.
    pub(crate) async fn ask(
        &self,
        url: &str,
        store: &str,
        key: &str,
        known: Option<&HeaderValue>,
        wait: Duration,
    ) -> Result<Answer, Unanswered> {
        let mut request =
            Request::get(format!("{url}/stores/{store}?key={}&timeout={}", escaped(key), wait.as_millis()));
        if let Some(known) = known {
            request = request.header(IF_NONE_MATCH, known);
        }
        let request = request.body(Empty::new())?;
        timeout(wait + MARGIN, self.answer(request)).await.unwrap_or(Err(Unanswered::Stalled))
    }

    async fn answer(&self, request: Request<Empty<Bytes>>) -> Result<Answer, Unanswered> {
        let (mut head, body) = self.0.request(request).await?.into_parts();
        // Read in any case: too many answers that are dropped unread end the connection for all others as well.
        let bytes = body.collect().await?.to_bytes();
        match (head.status, head.headers.remove(ETAG)) {
            (StatusCode::OK, Some(tag)) => Ok(Answer::Value { bytes, tag }),
            (StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT, _) => Ok(Answer::NothingNew),
            (status, _) => Err(Unanswered::NotServed(status)),
        }
    }
}

/// A key as the value of a parameter: any text is a key.
fn escaped(key: &str) -> String {
    key.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}
