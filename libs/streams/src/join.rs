use std::time::Duration;

use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};

use crate::graph::{Erased, NodeId, NodeKind, TimerDefinition, TopologyError};
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Store, Stores};
use crate::stream::{Record, Stream};
use crate::topology::{Clock, decode};
use crate::{Timestamp, Topology, Trace};

/// How far apart two records may be that belong together, and how long one is waited for that comes late. All of it is
/// event time, in whole milliseconds (the `JoinWindows` of Kafka Streams).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinWindow {
    /// The furthest that one record may be before or after the other.
    pub within: Duration,
    /// How long after that a record may still come, out of order.
    pub grace: Duration,
}

/// What an outer join says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joined<L, R> {
    /// Two records of one key, within reach of each other.
    Both(L, R),
    /// A record of the left stream that met none of the right one.
    Left(L),
    /// A record of the right stream that met none of the left one.
    Right(R),
}

/// A record that may still be joined, as the store of its side of a join holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "V: AvroRecord")]
struct Joinable<V> {
    /// Whether it has met another; an outer join says nothing of it when it leaves.
    is_matched: bool,
    value: V,
    /// The trace it belongs to. Entries that were written before there was such a field have none.
    trace: Option<String>,
}

/// What a join says of two records, and of one that has met none.
struct Sayings<L, R, O> {
    both: fn(L, R) -> O,
    left: Option<fn(L) -> O>,
    right: Option<fn(R) -> O>,
}

/// One side of a join as the other one sees it.
struct Side<V, W, O> {
    name: String,
    window: JoinWindow,
    own: Store<Joinable<V>>,
    other: Store<Joinable<W>>,
    alone: Option<fn(V) -> O>,
    /// Whether it is the left side, in whose trace a join goes on.
    is_left: bool,
}

/// What a join says of a record that came and one that waited, or of one alone.
struct Said<O> {
    value: O,
    timestamp: Timestamp,
    trace: Option<Trace>,
    joined: Option<Trace>,
}

/// Behind the key of a record, in the key of its entry: a zero byte, its timestamp and a number among equals.
const SUFFIX_BYTES: usize = 1 + 16 + 8;

impl<'t, L: AvroRecord + Clone> Stream<'t, L> {
    /// Joins the records of two streams that have the same key and are not further apart than the window says, whichever
    /// comes first: each such pair once, under the later of the two timestamps (the windowed inner join of Kafka Streams).
    ///
    /// Whether a record is late is told by stream time, the highest timestamp of all inputs of the task. A task that has much
    /// to catch up with may read one of its inputs ahead of another; let the grace cover what that may come to.
    ///
    /// What is said of a pair goes on in the trace of the left record, and is linked to that of the right one, whichever came
    /// first (ADR 19).
    ///
    /// A record waits in a store of its side, `<name>-left` or `<name>-right`, until stream time has passed the end of its
    /// window and the grace. One that comes later than that is refused as [`Refusal::Late`].
    pub fn join_within<R: AvroRecord + Clone>(
        self,
        name: &str,
        other: Stream<'t, R>,
        window: JoinWindow,
    ) -> Stream<'t, (L, R)> {
        self.windowed(name, other, window, Sayings { both: |left, right| (left, right), left: None, right: None })
    }

    /// As [`Stream::join_within`], and says of a record that has met none that it is alone: once, under its own timestamp,
    /// when stream time passes the end of its window and the grace (as Kafka Streams since KAFKA-10847). A record that
    /// comes later than that is not joined any more, and alone at once.
    pub fn outer_join<R: AvroRecord + Clone>(
        self,
        name: &str,
        other: Stream<'t, R>,
        window: JoinWindow,
    ) -> Stream<'t, Joined<L, R>> {
        let sayings = Sayings { both: Joined::Both, left: Some(Joined::Left), right: Some(Joined::Right) };
        self.windowed(name, other, window, sayings)
    }

    fn windowed<R: AvroRecord + Clone, O: 'static>(
        self,
        name: &str,
        other: Stream<'t, R>,
        window: JoinWindow,
        sayings: Sayings<L, R, O>,
    ) -> Stream<'t, O> {
        let topology = self.topology;
        let Sayings { both, left, right } = sayings;
        let (lefts, rights) = (Store::named(format!("{name}-left")), Store::named(format!("{name}-right")));
        let is_taken = topology.draft.borrow().has_store(lefts.name());
        if is_taken {
            topology.draft.borrow_mut().errors.push(TopologyError::UsedTwice(name.to_string()));
        }
        let name = name.to_string();
        let left =
            Side { name: name.clone(), window, own: lefts.clone(), other: rights.clone(), alone: left, is_left: true };
        let right = Side { name: name.clone(), window, own: rights, other: lefts, alone: right, is_left: false };
        let parents = [
            left.leaving(topology),
            right.leaving(topology),
            left.arriving(topology, self.node, both),
            right.arriving(topology, other.node, move |right, left| both(left, right)),
        ];
        let operator = Box::new(|forward: &crate::graph::Forward<'_>, step: &Step<'_>, record: Erased<'_>| {
            forward.on(step, record);
        });
        let node = topology.draft.borrow_mut().node(NodeKind::Join, name, &parents, operator);
        topology.handle(node)
    }
}

impl<V: AvroRecord + Clone, W: AvroRecord + Clone, O: 'static> Side<V, W, O> {
    /// The processor of the records of this side.
    fn arriving(self, topology: &Topology, parent: NodeId, pair: impl Fn(V, W) -> O + Send + Sync + 'static) -> NodeId {
        let (own, other) = (self.own.clone(), self.other.clone());
        let node = topology.draft.borrow_mut().node(
            NodeKind::Join,
            String::new(),
            &[parent],
            Box::new(move |forward, step, record| {
                self.join(step, record.typed(), record.trace, &pair, |said| {
                    let Said { value, timestamp, trace, joined } = &said;
                    let (trace, joined) = (trace.as_ref(), joined.as_ref());
                    forward.on(step, Erased { key: record.key, value, timestamp: *timestamp, trace, joined });
                });
            }),
        );
        own.attach(topology, node);
        other.attach(topology, node);
        node
    }

    /// The timer that takes records out which can meet no other any more.
    fn leaving(&self, topology: &Topology) -> NodeId {
        let alone = self.alone;
        let mut draft = topology.draft.borrow_mut();
        let node = draft.node(
            NodeKind::Timer,
            format!("{} leaves", self.own.name()),
            &[],
            Box::new(move |forward, step, record| {
                let Joinable { is_matched, value, trace } = record.typed::<Joinable<V>>().value;
                if let (Some(alone), Some((key, timestamp)), false) = (alone, split(record.key), is_matched) {
                    let trace = trace.as_deref().map(Trace::new);
                    let (value, trace) = (&alone(value.clone()), trace.as_ref());
                    forward.on(step, Erased { key, value, timestamp, trace, joined: None });
                }
            }),
        );
        self.own.declare(&mut draft, node);
        draft.timers.push(TimerDefinition {
            store: self.own.name().to_string(),
            clock: Clock::Stream,
            after: self.window.kept().saturating_add(Duration::from_millis(1)),
            node,
            since: Box::new(|_, key, _| Ok(split(key).map(|(_, timestamp)| timestamp))),
            decode: decode::<Joinable<V>>(),
            removes: true,
        });
        node
    }

    /// Joins a record with what there is on the other side, and keeps it for what is still to come there.
    fn join(
        &self,
        step: &Step<'_>,
        record: Record<'_, V>,
        trace: Option<&Trace>,
        pair: impl Fn(V, W) -> O,
        say: impl Fn(Said<O>),
    ) {
        let Record { key, value, timestamp } = record;
        if timestamp + self.window.kept() < step.stream_time() {
            return match self.alone {
                Some(alone) => {
                    say(Said { value: alone(value.clone()), timestamp, trace: trace.cloned(), joined: None })
                }
                None => step.refuse(Refusal::Late(self.name.clone())),
            };
        }
        let (own, other) = (step.store_index(self.own.name()), step.store_index(self.other.name()));
        let within = self.window.within;
        let mut is_matched = false;
        for (found, at, bytes) in entries(step, other, key, timestamp - within, timestamp + within) {
            let Some(met) = step.decode::<Joinable<W>>(other, &bytes) else { return };
            is_matched = true;
            if self.alone.is_some() && !met.is_matched {
                step.put(other, &found, &Joinable { is_matched, ..met.clone() });
            }
            let (came, waited) = (trace.cloned(), met.trace.map(Trace::new));
            let (trace, joined) = if self.is_left { (came, waited) } else { (waited, came) };
            say(Said { value: pair(value.clone(), met.value), timestamp: timestamp.max(at), trace, joined });
        }
        let equals = entries(step, own, key, timestamp, timestamp);
        let number = equals.last().map_or(0, |(last, ..)| number_of(last) + 1);
        let trace = trace.map(|trace| trace.as_str().to_string());
        step.put(own, &entry_key(key, timestamp, number), &Joinable { is_matched, value: value.clone(), trace });
    }
}

impl JoinWindow {
    /// How long a record may be joined, behind its timestamp.
    fn kept(self) -> Duration {
        self.within.saturating_add(self.grace)
    }
}

/// The entries of a key between two moments, both included, in the order of time: key and moment of the entry, and what
/// it holds.
fn entries(
    step: &Step<'_>,
    store: usize,
    key: &str,
    from: Timestamp,
    to: Timestamp,
) -> Vec<(Box<str>, Timestamp, Vec<u8>)> {
    // Behind all numbers, which are hexadecimal.
    let (from, to) = (format!("{key}\0{:016x}", sortable(from)), format!("{key}\0{:016x}g", sortable(to)));
    let found = step.range(store, &from, &to).into_iter();
    // Of another key that contains a zero byte there may be entries in between.
    let own = found.filter(|(found, _)| found.len() == key.len() + SUFFIX_BYTES);
    own.filter_map(|(found, bytes)| Some((split(&found)?.1, found, bytes)))
        .map(|(at, key, bytes)| (key, at, bytes))
        .collect()
}

fn entry_key(key: &str, timestamp: Timestamp, number: u32) -> String {
    format!("{key}\0{:016x}{number:08x}", sortable(timestamp))
}

/// The key and the timestamp of the record that an entry is of.
fn split(entry: &str) -> Option<(&str, Timestamp)> {
    let (key, suffix) = entry.split_at_checked(entry.len().checked_sub(SUFFIX_BYTES)?)?;
    let timestamp = u64::from_str_radix(suffix.get(1..17)?, 16).ok()?;
    Some((key, Timestamp((timestamp ^ (1 << 63)).cast_signed())))
}

fn number_of(entry: &str) -> u32 {
    entry.get(entry.len() - 8..).and_then(|number| u32::from_str_radix(number, 16).ok()).unwrap_or_default()
}

/// A number whose digits sort as the timestamps do.
fn sortable(timestamp: Timestamp) -> u64 {
    timestamp.as_millis().cast_unsigned() ^ (1 << 63)
}

/// A record around the schema of its value.
impl<V: AvroRecord> AvroRecord for Joinable<V> {
    const SCHEMA: &'static str = V::SCHEMA;

    fn schema() -> String {
        format!(
            r#"{{"type": "record", "name": "Joinable", "fields": [
            {{"name": "is_matched", "type": "boolean"}}, {{"name": "value", "type": {}}},
            {{"name": "trace", "type": ["null", "string"], "default": null}}]}}"#,
            V::schema()
        )
    }
}

#[cfg(test)]
mod tests {
    use avro_codec::Schemas;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        text: String,
    }

    impl AvroRecord for Note {
        const SCHEMA: &'static str =
            r#"{"type": "record", "name": "Note", "fields": [{"name": "text", "type": "string"}]}"#;
    }

    /// An entry as it was before it had a trace.
    #[derive(Serialize, Deserialize)]
    struct Earlier {
        is_matched: bool,
        value: Note,
    }

    impl AvroRecord for Earlier {
        const SCHEMA: &'static str = r#"{"type": "record", "name": "Joinable", "fields": [
            {"name": "is_matched", "type": "boolean"}, {"name": "value", "type": {"type": "record", "name": "Note",
            "fields": [{"name": "text", "type": "string"}]}}]}"#;
    }

    #[test]
    fn an_entry_without_a_trace_is_read_and_one_with_it_is_read_by_an_earlier_version() {
        let (schemas, note) = (Schemas::local(), Note { text: "k".to_string() });
        let earlier = schemas.encode("a", &Earlier { is_matched: true, value: note.clone() }).unwrap();
        let read: Joinable<Note> = schemas.decode(&earlier).unwrap();
        assert_eq!(read, Joinable { is_matched: true, value: note.clone(), trace: None });

        let entry = Joinable { trace: Some("t".to_string()), ..read };
        let read: Earlier = schemas.decode(&schemas.encode("b", &entry).unwrap()).unwrap();
        assert_eq!(read.value, note);
    }
}
