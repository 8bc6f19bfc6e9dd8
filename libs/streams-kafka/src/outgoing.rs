use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use streams::{Refusal, Timestamp};

use crate::headers::{
    DEAD_LETTER_CAUSE, DEAD_LETTER_OFFSET, DEAD_LETTER_PARTITION, DEAD_LETTER_TIMESTAMP, DEAD_LETTER_TOPIC,
    PROCESSED_AT, TRACEPARENT,
};
use crate::producer::Outgoing;

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
pub(crate) fn dead_letter<'a>(topic: &'a str, message: &'a BorrowedMessage<'_>, cause: &Refusal) -> Outgoing<'a> {
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
    Outgoing { topic, partition: None, key: message.key(), value: message.payload(), timestamp, headers: Some(headers) }
}
