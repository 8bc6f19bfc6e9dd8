use std::fmt::Display;

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use streams::{GivenUp, Timestamp, Trace};

use crate::headers::{
    DEAD_LETTER_CAUSE, DEAD_LETTER_OFFSET, DEAD_LETTER_PARTITION, DEAD_LETTER_STORE, DEAD_LETTER_TIMESTAMP,
    DEAD_LETTER_TOPIC, PROCESSED_AT, TRACEPARENT,
};
use crate::producer::Outgoing;
use crate::settings::{MAX_DEAD_LETTER_BYTES, RECORD_OVERHEAD_BYTES};

/// The headers of a record that follows from one with this trace context.
pub(crate) fn output_headers(trace: Option<&Trace>, now: Timestamp) -> OwnedHeaders {
    let now = now.as_millis().to_string();
    let headers = OwnedHeaders::new_with_capacity(2).insert(Header { key: PROCESSED_AT, value: Some(&now) });
    with_trace(headers, trace)
}

/// The original bytes and headers of a record, with the cause and where it came from.
///
/// A record that grew too large for any topic when it was unpacked is put aside without its value: the coordinates tell
/// where it is. The timestamp is that of now, since dead letters are kept for a time.
pub(crate) fn dead_letter<'a>(
    topic: &'a str,
    message: &'a impl Message,
    cause: &dyn Display,
    now: Timestamp,
) -> Outgoing<'a> {
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let fits = length(message.key()) + length(message.payload()) <= MAX_DEAD_LETTER_BYTES - RECORD_OVERHEAD_BYTES;
    Outgoing {
        topic,
        partition: None,
        key: message.key().filter(|key| key.len() <= MAX_DEAD_LETTER_BYTES / 2),
        value: message.payload().filter(|_| fits),
        timestamp: now.as_millis(),
        headers: Some(dead_letter_headers(Some(message), &coordinates(message), cause)),
        mark: 0,
    }
}

/// A record that the service itself has given up: its value as it was then, with the cause, and the coordinates and headers
/// of the record it follows from. One that a timer made follows from none; it has the name of its store instead.
pub(crate) fn given_up_letter<'a>(
    topic: &'a str,
    source: Option<&BorrowedMessage<'_>>,
    given_up: &'a GivenUp,
    now: Timestamp,
) -> Outgoing<'a> {
    let of_timer = || {
        let store = given_up.store.clone().unwrap_or_default();
        vec![(DEAD_LETTER_STORE, store), (DEAD_LETTER_TIMESTAMP, given_up.timestamp.as_millis().to_string())]
    };
    let origin = source.map_or_else(of_timer, |message| coordinates(message).to_vec());
    let headers = dead_letter_headers(source, &origin, &given_up.cause);
    Outgoing {
        topic,
        partition: None,
        key: Some(given_up.key.as_bytes()),
        value: Some(&given_up.value),
        timestamp: now.as_millis(),
        // That of a record it follows from is among the headers of that.
        headers: Some(with_trace(headers, given_up.trace.as_ref().filter(|_| source.is_none()))),
        mark: 0,
    }
}

fn with_trace(headers: OwnedHeaders, trace: Option<&Trace>) -> OwnedHeaders {
    match trace {
        Some(trace) => headers.insert(Header { key: TRACEPARENT, value: Some(trace.as_str()) }),
        None => headers,
    }
}

/// Where a record stands.
fn coordinates(message: &impl Message) -> [(&'static str, String); 4] {
    [
        (DEAD_LETTER_TOPIC, message.topic().to_string()),
        (DEAD_LETTER_PARTITION, message.partition().to_string()),
        (DEAD_LETTER_OFFSET, message.offset().to_string()),
        (DEAD_LETTER_TIMESTAMP, message.timestamp().to_millis().unwrap_or(0).to_string()),
    ]
}

/// The headers of the record, if there is one, with the cause and where the letter comes from.
fn dead_letter_headers(message: Option<&impl Message>, origin: &[(&str, String)], cause: &dyn Display) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new();
    for header in message.and_then(Message::headers).iter().flat_map(|headers| headers.iter()) {
        headers = headers.insert(header);
    }
    headers = headers.insert(Header { key: DEAD_LETTER_CAUSE, value: Some(&cause.to_string()) });
    for (key, value) in origin {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    headers
}
