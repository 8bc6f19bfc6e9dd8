//! What an instance tells the others of the stores it serves, on its admin port.
//!
//! `GET /stores/{store}?key=…&timeout=ms`, with the tag of the value that is known already in `If-None-Match`:
//!
//! - 200: the value as it is stored, and its tag
//! - 304, 204: nothing but the value that is known, nothing at all, until the time was up
//! - 421: another instance serves the key; a question is never passed on
//! - 503: this one does, or nobody, but it cannot speak for the key at the moment

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::pin::pin;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use streams_kafka::{Owner, ViewError};
use tokio::time::sleep;

use crate::admin::Streams;
use crate::http::{Parameters, Problem};

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const COME_AGAIN: Duration = Duration::from_secs(1);

/// How long an answer may be waited for, in milliseconds.
const TIMEOUT_MS: RangeInclusive<u64> = 0..=60_000;

pub(crate) async fn read(
    State(streams): State<Streams>,
    Path(store): Path<String>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let timeout = parameters.milliseconds("timeout", TIMEOUT_MS)?.unwrap_or_default();
    let key = parameters.text("key")?.unwrap_or_default();
    let view = streams.running()?.encoded_view(&store).ok_or_else(no_such_store)?;
    let known = headers.get(IF_NONE_MATCH);

    let mut watch = view.watch(key);
    let mut time_is_up = pin!(sleep(timeout));
    loop {
        watch.look();
        let without_news = match view.get(key) {
            Ok(Some(value)) if known == Some(&tag(&value)) => StatusCode::NOT_MODIFIED.into_response(),
            Ok(Some(value)) => return Ok(([(ETAG, tag(&value)), (CONTENT_TYPE, OCTETS)], value).into_response()),
            Ok(None) => StatusCode::NO_CONTENT.into_response(),
            Err(ViewError::NotServed) => match view.owner(key) {
                Owner::There(_) => {
                    let detail = "Another instance serves this key.";
                    return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
                }
                Owner::Here | Owner::Unknown => {
                    Problem::unavailable("The partition is changing hands.", COME_AGAIN).into_response()
                }
            },
            Err(error) => return Err(Problem::internal(error)),
        };
        tokio::select! {
            () = watch.changed() => {}
            () = time_is_up.as_mut() => return Ok(without_news),
        }
    }
}

fn no_such_store() -> Problem {
    Problem::not_found("The service has no such store.")
}

/// Tells values apart, no more: only the instance that made a tag compares it.
fn tag(value: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish())).expect("hexadecimal digits are a header value")
}
