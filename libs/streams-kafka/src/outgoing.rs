use std::fmt::Display;

use rdkafka::Message;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use streams::Timestamp;

use crate::headers::{
    DEAD_LETTER_CAUSE, DEAD_LETTER_OFFSET, DEAD_LETTER_PARTITION, DEAD_LETTER_TIMESTAMP, DEAD_LETTER_TOPIC,
    PROCESSED_AT, TRACEPARENT,
};
use crate::producer::Outgoing;
use crate::settings::{MAX_DEAD_LETTER_BYTES, RECORD_OVERHEAD_BYTES};

/// The headers of a record that follows from one with this trace context.
pub(crate) fn output_headers(traceparent: Option<&str>, now: Timestamp) -> OwnedHeaders {
    let now = now.as_millis().to_string();
    let headers = OwnedHeaders::new_with_capacity(2).insert(Header { key: PROCESSED_AT, value: Some(&now) });
    match traceparent {
        Some(_) => headers.insert(Header { key: TRACEPARENT, value: traceparent }),
        None => headers,
    }
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
    let timestamp = message.timestamp().to_millis().unwrap_or(0);
    let own = [
        (DEAD_LETTER_CAUSE, cause.to_string()),
        (DEAD_LETTER_TOPIC, message.topic().to_string()),
        (DEAD_LETTER_PARTITION, message.partition().to_string()),
        (DEAD_LETTER_OFFSET, message.offset().to_string()),
        (DEAD_LETTER_TIMESTAMP, timestamp.to_string()),
    ];
    let mut headers = OwnedHeaders::new();
    for header in message.headers().iter().flat_map(|headers| headers.iter()) {
        headers = headers.insert(header);
    }
    for (key, value) in &own {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let fits = length(message.key()) + length(message.payload()) <= MAX_DEAD_LETTER_BYTES - RECORD_OVERHEAD_BYTES;
    Outgoing {
        topic,
        partition: None,
        key: message.key().filter(|key| key.len() <= MAX_DEAD_LETTER_BYTES / 2),
        value: message.payload().filter(|_| fits),
        timestamp: now.as_millis(),
        headers: Some(headers),
        mark: 0,
    }
}
