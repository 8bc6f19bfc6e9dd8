//! Records that are sent on without a transaction, each by the one record it was made from.
//!
//! A forwarding sub-topology ([`Graph::forwards`](streams::Graph::forwards)) reads the committed records of a partition in
//! their order, and what it makes of each follows from that record alone. So whoever does it, however often, writes the
//! same sequence to a repartition topic, and begins again at a place up to which all of it is written. Each record says
//! where it comes from ([`Origin`]), and the reader takes it if it is the first from there ([`Seen`]).

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::error::KafkaError;
use rdkafka::message::Header;
use streams::Timestamp;

use crate::Settings;
use crate::headers::FORWARDED_FROM;
use crate::producer::{Failure, IdempotentProducer, Outgoing};

/// Sends on without a transaction: what it sends is seen at once, and is not undone.
pub(crate) struct Forwarder(IdempotentProducer);

/// The record that a forwarded one was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) place: Place,
}

/// A place in a partition: what comes later is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// When the reading of the partition began, milliseconds since the epoch: in a topic that was created anew, offsets
    /// begin again.
    pub(crate) incarnation: i64,
    pub(crate) offset: i64,
    /// Which of the records that are made from the one at this offset.
    pub(crate) index: usize,
}

/// How far the records of each origin, topic and partition, have come through a repartition topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(BTreeMap<(String, i32), Place>);

/// What is committed beside the offset of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PositionMetadata {
    /// The highest timestamp the task had seen.
    pub(crate) stream_time: Timestamp,
    /// Of an input that is forwarded.
    pub(crate) incarnation: Option<i64>,
    /// Of a repartition topic.
    pub(crate) seen: Seen,
}

impl Forwarder {
    /// Connects.
    pub(crate) fn connect(settings: &Settings) -> Result<Self, KafkaError> {
        IdempotentProducer::connect(&settings.forwarding_producer(), settings.transaction_timeout()).map(Self)
    }

    /// Hands a record to the client. One behind a lost one must not be sent: seen first, it would make the repetition of
    /// the lost one look as if it had been seen, too.
    pub(crate) fn send(&mut self, record: Outgoing<'_>, origin: &Origin<'_>) -> Result<(), Failure> {
        self.0.is_acknowledged()?;
        let origin = origin.to_string();
        let headers = record.headers.unwrap_or_default();
        let headers = headers.insert(Header { key: FORWARDED_FROM, value: Some(&origin) });
        self.0.send(Outgoing { headers: Some(headers), ..record })
    }

    /// Waits until nothing is in flight. If that takes too long, the producer has to be rebuilt.
    pub(crate) fn await_acknowledgements(&self) -> Result<(), Failure> {
        self.0.await_acknowledgements()
    }
}

impl Seen {
    /// Whether a record from there, or from further on, was here before.
    pub(crate) fn includes(&self, origin: &Origin<'_>) -> bool {
        let place = origin.place;
        self.last_of(origin).is_some_and(|last| place.incarnation == last.incarnation && place <= last)
    }

    /// A record from there is here now.
    pub(crate) fn note(&mut self, origin: &Origin<'_>) {
        if self.last_of(origin).is_some_and(|last| origin.place.incarnation < last.incarnation) {
            // Which of them were here before is not known any more. It is better taken twice than not at all.
            tracing::warn!(%origin, "a forwarded record is older than the beginning of its topic");
            return;
        }
        self.0.insert((origin.topic.to_string(), origin.partition), origin.place);
    }

    fn last_of(&self, origin: &Origin<'_>) -> Option<Place> {
        self.0.get(&(origin.topic.to_string(), origin.partition)).copied()
    }
}

impl<'a> Origin<'a> {
    /// The same for one of several records.
    pub(crate) fn number(&self, index: usize) -> Self {
        Self { place: Place { index, ..self.place }, ..self.clone() }
    }

    /// Reads the header of a record.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split('/');
        let origin = Self {
            topic: parts.next()?,
            partition: parts.next()?.parse().ok()?,
            place: Place {
                incarnation: parts.next()?.parse().ok()?,
                offset: parts.next()?.parse().ok()?,
                index: parts.next()?.parse().ok()?,
            },
        };
        parts.next().is_none().then_some(origin)
    }
}

impl PositionMetadata {
    /// Reads what was committed, also by a version that knew of stream time only. What somebody else has written there
    /// counts for nothing, as does nothing at all.
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = text.split(' ');
        let stream_time = parts.next().and_then(|millis| millis.parse().ok()).map_or(Timestamp::MIN, Timestamp);
        let incarnation = parts.next().and_then(|millis| millis.parse().ok());
        let mut seen = Seen::default();
        parts.filter_map(Origin::parse).for_each(|origin| seen.note(&origin));
        Self { stream_time, incarnation, seen }
    }
}

/// `<topic>/<partition>/<incarnation>/<offset>/<index>`: names of topics have no slash.
impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, place: Place { incarnation, offset, index } } = self;
        write!(f, "{topic}/{partition}/{incarnation}/{offset}/{index}")
    }
}

/// `<stream time> <incarnation> <origin> <origin> …`, with a dash for no incarnation; often stream time alone.
impl fmt::Display for PositionMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stream_time.as_millis())?;
        match self.incarnation {
            Some(incarnation) => write!(f, " {incarnation}")?,
            None if self.seen.0.is_empty() => {}
            None => write!(f, " -")?,
        }
        let mut seen = self.seen.0.iter();
        seen.try_for_each(|((topic, partition), place)| {
            write!(f, " {}", Origin { topic, partition: *partition, place: *place })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(topic: &str, partition: i32, incarnation: i64, offset: i64, index: usize) -> Origin<'_> {
        Origin { topic, partition, place: Place { incarnation, offset, index } }
    }

    #[test]
    fn the_place_of_a_record_survives_its_header() {
        let there = origin("some.topic_name-1", 3, 1_763_755_200_000, i64::MAX, 17);
        assert_eq!(Origin::parse(&there.to_string()), Some(there));
    }

    #[test]
    fn a_header_that_is_not_a_place_is_none() {
        for text in ["", "topic", "topic/0/1/2", "topic/0/1/2/3/4", "topic/x/1/2/3", "topic/0/1/2/-3", "topic/0/1//3"] {
            assert_eq!(Origin::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_comes_later_in_a_partition_is_new_and_all_else_a_repetition() {
        let mut seen = Seen::default();
        assert!(!seen.includes(&origin("a", 0, 1, 0, 0)), "nothing was seen yet");
        seen.note(&origin("a", 0, 1, 5, 1));
        for (offset, index, is_repetition) in [(4, 9, true), (5, 0, true), (5, 1, true), (5, 2, false), (6, 0, false)] {
            assert_eq!(seen.includes(&origin("a", 0, 1, offset, index)), is_repetition, "{offset}/{index}");
        }
        assert!(!seen.includes(&origin("a", 1, 1, 0, 0)), "another partition");
        assert!(!seen.includes(&origin("b", 0, 1, 0, 0)), "another topic");
        assert!(!seen.includes(&origin("a", 0, 2, 0, 0)), "the topic was created anew");
        seen.note(&origin("a", 0, 0, 9, 0));
        assert!(!seen.includes(&origin("a", 0, 0, 9, 0)), "what is left of a topic that is gone is not held for known");
        assert!(seen.includes(&origin("a", 0, 1, 5, 1)), "and does not make anything unknown");
    }

    /// The argument for exactly once, by every interleaving of an old owner and a new one: each writes the same sequence in
    /// order, the new one from a place up to which all is written.
    #[test]
    fn two_owners_that_write_the_same_sequence_interleaved_are_read_as_one() {
        const LENGTH: usize = 6;
        for first_of_new in 0..LENGTH {
            for interleaving in 0_u32..1 << (2 * LENGTH) {
                let (mut old, mut new) = (first_of_new, first_of_new);
                let mut log: Vec<usize> = (0..first_of_new).collect();
                for turn in 0..2 * LENGTH {
                    let next = if interleaving >> turn & 1 == 0 { &mut old } else { &mut new };
                    if *next < LENGTH {
                        log.push(*next);
                        *next += 1;
                    }
                }
                log.extend(new..LENGTH);
                let mut seen = Seen::default();
                log.retain(|&at| {
                    let from = origin("a", 0, 1, i64::try_from(at / 2).unwrap(), at % 2);
                    let is_new = !seen.includes(&from);
                    if is_new {
                        seen.note(&from);
                    }
                    is_new
                });
                assert_eq!(log, (0..LENGTH).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn what_is_committed_beside_an_offset_is_read_back() {
        let mut seen = Seen::default();
        let mut metadata = PositionMetadata { stream_time: Timestamp(17), incarnation: None, seen: seen.clone() };
        assert_eq!(PositionMetadata::parse(&metadata.to_string()), metadata);
        seen.note(&origin("some-topic", 0, 5, 6, 7));
        seen.note(&origin("some-topic", 1, 5, 0, 0));
        metadata = PositionMetadata { stream_time: Timestamp::MIN, incarnation: Some(9), seen };
        assert_eq!(PositionMetadata::parse(&metadata.to_string()), metadata);
    }

    #[test]
    fn what_an_earlier_version_or_somebody_else_has_committed_counts_as_nothing_seen() {
        let nothing = |stream_time| PositionMetadata { stream_time, incarnation: None, seen: Seen::default() };
        assert_eq!(PositionMetadata::parse("17"), nothing(Timestamp(17)));
        assert_eq!(PositionMetadata::parse(""), nothing(Timestamp::MIN));
        assert_eq!(PositionMetadata::parse("by hand, on a Monday"), nothing(Timestamp::MIN));
    }
}
