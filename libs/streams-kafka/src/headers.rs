//! The record headers the engine writes and carries on.

use rdkafka::Message;
use rdkafka::message::Headers;
use streams::Timestamp;

/// When the record was really written: wall clock, milliseconds since the epoch, as text. For journeys and latency
/// figures; outside any claim of identical replay.
pub const PROCESSED_AT: &str = "processed-at";

/// The W3C trace context of the request all this follows from.
pub const TRACEPARENT: &str = "traceparent";

/// Why a record went to the dead letters.
pub const DEAD_LETTER_CAUSE: &str = "dead-letter-cause";
/// The topic it came from.
pub const DEAD_LETTER_TOPIC: &str = "dead-letter-topic";
/// The partition it came from.
pub const DEAD_LETTER_PARTITION: &str = "dead-letter-partition";
/// Its offset there.
pub const DEAD_LETTER_OFFSET: &str = "dead-letter-offset";
/// Its timestamp there, milliseconds since the epoch.
pub const DEAD_LETTER_TIMESTAMP: &str = "dead-letter-timestamp";
/// The store whose timer made the record; such a record follows from none in a topic, and has no other coordinates.
pub const DEAD_LETTER_STORE: &str = "dead-letter-store";

/// Which record one that was sent on without a transaction was made from, for its reader to know repetitions by:
/// `<topic>/<partition>/<incarnation>/<offset>/<index>`.
pub const FORWARDED_FROM: &str = "forwarded-from";

/// The first header of that name, if it is text.
pub(crate) fn header<'a>(message: &'a impl Message, key: &str) -> Option<&'a str> {
    let header = message.headers()?.iter().find(|header| header.key == key)?;
    std::str::from_utf8(header.value?).ok()
}

/// When a record was written, if it says so.
pub(crate) fn processed_at(message: &impl Message) -> Option<Timestamp> {
    header(message, PROCESSED_AT)?.parse().ok().map(Timestamp)
}
