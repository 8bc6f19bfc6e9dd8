use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::time::Duration;

use avro_codec::{SchemaId, Status as SchemaStatus, text_of};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Headers, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;
use streams::Timestamp;

use super::offsets::{Partition, beginnings, stable_ends};
use super::{BrowseError, Deadline, Page, PageRecord, Shared};
use crate::client_log::ClientLog;
use crate::poll::is_final;

/// Keys and values of a page together, unless a single record is larger.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// How much is shown of a value that cannot be decoded.
const MAX_SHOWN_BYTES: usize = 1024;
/// How many offsets are read at most for each record that is counted from an end, if there is any.
const MAX_OFFSETS_PER_RECORD: i64 = 64;
/// Longest sleep of a reader, which then looks whether its time is over.
const POLL: Duration = Duration::from_millis(100);

/// Which records of a partition are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Those from an offset on, or so many at the end.
    From(i64),
    /// The last ones before an offset.
    Before(i64),
}

impl Shared {
    pub(super) fn page(
        &self,
        at: &Partition,
        place: Place,
        limit: usize,
        deadline: Deadline,
    ) -> Result<Page, BrowseError> {
        let unavailable = |error: KafkaError| self.unavailable(&error);
        let asked = std::slice::from_ref(at);
        let none = || unavailable(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset));
        let first = *beginnings(&self.client, asked, deadline).map_err(unavailable)?.get(at).ok_or_else(none)?;
        let next = *stable_ends(&self.client, asked, deadline).map_err(unavailable)?.get(at).ok_or_else(none)?;
        let reader = self.readers.lend(deadline).map_err(unavailable)?.ok_or(BrowseError::Busy)?;
        let messages = match place {
            Place::From(from @ ..0) => {
                let count = usize::try_from(from.unsigned_abs()).unwrap_or(usize::MAX).min(limit);
                last_messages(&reader, at, first..next, count, deadline)
            }
            Place::From(from) => messages(&reader, at, from.max(first)..next, limit, deadline),
            Place::Before(end) => last_messages(&reader, at, first..end.min(next), limit, deadline),
        };
        let messages = messages.map_err(unavailable)?;
        drop(reader);
        let ids: BTreeSet<SchemaId> = messages.iter().filter_map(|message| SchemaId::of(message.payload()?)).collect();
        self.resolved(&ids.into_iter().collect::<Vec<_>>());
        Ok(Page { first, next, records: messages.iter().map(|message| self.record(message)).collect() })
    }

    fn record(&self, message: &OwnedMessage) -> PageRecord {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        let headers = headers.map(|header| (header.key.to_string(), header.value.map(text_of).unwrap_or_default()));
        let (value, problem) = message.payload().map_or((None, None), |bytes| self.value(bytes));
        PageRecord {
            offset: message.offset(),
            timestamp: Timestamp(message.timestamp().to_millis().unwrap_or(0)),
            key: message.key().map(text_of),
            headers: headers.collect(),
            schema_id: message.payload().and_then(SchemaId::of).map(|id| id.0),
            value,
            problem,
            bytes: message.payload().map_or(0, <[u8]>::len),
        }
    }

    /// The value to be shown, and why it is no more than its bytes.
    fn value(&self, bytes: &[u8]) -> (Option<Value>, Option<String>) {
        let why = match self.schemas.decode_json(bytes) {
            Ok(value) => return (Some(value), None),
            Err(error) => match self.schemas.status(bytes) {
                SchemaStatus::Unresolved(id) => BrowseError::UnresolvedSchema(id.0).to_string(),
                SchemaStatus::Known | SchemaStatus::Refused => error.to_string(),
            },
        };
        (Some(text_of(beginning(bytes)).into()), Some(why))
    }
}

/// As many bytes as are shown, and no part of a character.
fn beginning(bytes: &[u8]) -> &[u8] {
    match bytes.get(..MAX_SHOWN_BYTES) {
        None => bytes,
        Some(shown) => match std::str::from_utf8(shown) {
            Err(error) if error.error_len().is_none() => &shown[..error.valid_up_to()],
            _ => shown,
        },
    }
}

/// The first `limit` records in a part of a partition.
fn messages(
    reader: &BaseConsumer<ClientLog>,
    at: &Partition,
    part: Range<i64>,
    limit: usize,
    deadline: Deadline,
) -> KafkaResult<Vec<OwnedMessage>> {
    let (mut messages, mut bytes) = (Vec::new(), 0);
    if limit > 0 {
        read(reader, at, part, deadline, |message| {
            bytes += length(&message);
            messages.push(message);
            messages.len() < limit && bytes < MAX_PAGE_BYTES
        })?;
    }
    Ok(messages)
}

/// The last `count` records in a part of a partition. How many offsets they take up is not known before: each look goes
/// twice as far back as the one before.
fn last_messages(
    reader: &BaseConsumer<ClientLog>,
    at: &Partition,
    part: Range<i64>,
    count: usize,
    deadline: Deadline,
) -> KafkaResult<Vec<OwnedMessage>> {
    let mut span = i64::try_from(count).unwrap_or(i64::MAX);
    let most = span.saturating_mul(MAX_OFFSETS_PER_RECORD);
    loop {
        let from = part.start.max(part.end.saturating_sub(span));
        let (mut messages, mut bytes) = (VecDeque::new(), 0);
        let mut is_full = false;
        read(reader, at, from..part.end, deadline, |message| {
            bytes += length(&message);
            messages.push_back(message);
            while messages.len() > count || bytes > MAX_PAGE_BYTES && messages.len() > 1 {
                bytes -= messages.pop_front().as_ref().map_or(0, length);
                is_full = true;
            }
            true
        })?;
        // Compaction leaves gaps of any length, in which there is nothing to be read.
        let is_enough = is_full || messages.len() == count || span >= most && !messages.is_empty();
        if is_enough || from == part.start {
            return Ok(messages.into());
        }
        span = span.saturating_mul(2);
    }
}

/// Hands on the records in a part of a partition, until there are no more or no more are wanted.
fn read(
    reader: &BaseConsumer<ClientLog>,
    (topic, partition): &Partition,
    part: Range<i64>,
    deadline: Deadline,
    mut wants_more: impl FnMut(OwnedMessage) -> bool,
) -> KafkaResult<()> {
    if part.is_empty() {
        return Ok(());
    }
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, *partition, Offset::Offset(part.start))?;
    reader.assign(&place)?;
    loop {
        match reader.poll(deadline.left().min(POLL)) {
            Some(Ok(message)) if message.offset() >= part.end => return Ok(()),
            Some(Ok(message)) => {
                let is_last = message.offset() + 1 == part.end;
                if !wants_more(message.detach()) || is_last {
                    return Ok(());
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error)) if is_final(&error) => return Err(error),
            // Passing trouble with the connection, which the client mends.
            Some(Err(_)) | None if deadline.is_over() => {
                return Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut));
            }
            Some(Err(_)) | None => {}
        }
    }
}

fn length(message: &OwnedMessage) -> usize {
    [message.key(), message.payload()].into_iter().flatten().map(<[u8]>::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_text_ends_between_two_characters() {
        let text = "é".repeat(MAX_SHOWN_BYTES);
        assert_eq!(beginning(text.as_bytes()).len(), MAX_SHOWN_BYTES);
        let text = format!("a{text}");
        assert_eq!(beginning(text.as_bytes()).len(), MAX_SHOWN_BYTES - 1);
        assert_eq!(beginning(&[0xff; 2 * MAX_SHOWN_BYTES]).len(), MAX_SHOWN_BYTES, "no text at all");
        assert_eq!(beginning(b"short"), b"short");
    }
}
