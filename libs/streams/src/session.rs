use std::fmt;
use std::time::Duration;

use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::graph::NodeKind;
use crate::store::{Store, Stores};
use crate::stream::{Record, Stream};
use crate::topology::Clock;

/// The records of a stream, by the session of their key they belong to: a period of activity that ends when nothing came
/// for the inactivity gap. Made by [`Stream::session`].
pub struct SessionStream<'t, V, S> {
    stream: Stream<'t, V>,
    store: Store<Sessions<S>>,
    window: SessionWindow,
}

/// The open sessions of one key, each with its aggregate; what the store of a session window holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "S: AvroRecord")]
pub struct Sessions<S> {
    /// In the order of time; none overlaps another or lies within its inactivity gap.
    pub sessions: Vec<Session<S>>,
}

/// A period of activity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "S: AvroRecord")]
pub struct Session<S> {
    /// Event time of its first record.
    pub start: Timestamp,
    /// Event time of its last record.
    pub end: Timestamp,
    /// What its records add up to.
    pub aggregate: S,
}

/// When a session ends, and when it is over for good. All of it is event time.
#[derive(Clone, Copy, Debug)]
struct SessionWindow {
    inactivity_gap: Duration,
    grace: Duration,
}

impl<'t, V: 'static> Stream<'t, V> {
    /// Sorts the records of each key into sessions. Two records belong to one if they are not further apart than the
    /// inactivity gap; a late one may join two sessions, and they become one. A session is kept for another `grace` after
    /// its gap has passed in stream time, then forgotten; a record that is later than that is a session of its own, which is
    /// not kept.
    pub fn session<S: AvroRecord>(
        self,
        store: &Store<Sessions<S>>,
        inactivity_gap: Duration,
        grace: Duration,
    ) -> SessionStream<'t, V, S> {
        SessionStream { stream: self, store: store.clone(), window: SessionWindow { inactivity_gap, grace } }
    }
}

impl<'t, V: 'static, S: AvroRecord + Default> SessionStream<'t, V, S> {
    /// Handles each record with the aggregate of its session at hand, a new one if it begins a session; `merge` adds the
    /// aggregate of a later session to that of an earlier one which turns out to be the same. What the handler returns
    /// flows on under the record's key and timestamp.
    pub fn process<O: 'static, I: IntoIterator<Item = O>>(
        self,
        merge: impl Fn(&mut S, S) + Send + Sync + 'static,
        handler: impl Fn(Record<'_, V>, &mut S) -> I + Send + Sync + 'static,
    ) -> Stream<'t, O> {
        let Self { stream, store, window } = self;
        let topology = stream.topology;
        let used = store.clone();
        let node = topology.draft.borrow_mut().node(
            NodeKind::Process,
            String::new(),
            &[stream.node],
            Box::new(move |forward, step, record| {
                let stream_time = step.stream_time().max(record.timestamp);
                let store = used.open(step);
                let before = store.get(record.key).unwrap_or_default();
                let is_new = before.sessions.is_empty();
                let (sessions, outputs) = before.with(record.timestamp, window, stream_time, &merge, |aggregate| {
                    handler(record.typed(), aggregate)
                });
                if !sessions.sessions.is_empty() {
                    store.put(record.key, &sessions);
                } else if !is_new {
                    store.delete(record.key);
                }
                for value in outputs {
                    forward.on(step, record.with(&value));
                }
            }),
        );
        store.attach(topology, node);
        // A key that does not come back is forgotten in the first millisecond in which no record can join its sessions.
        let over = window.inactivity_gap + window.grace + Duration::from_millis(1);
        topology
            .timer(&store, Clock::Stream, over, |sessions| sessions.sessions.last().map(|session| session.end))
            .for_each(&store, |over, sessions| sessions.delete(over.key));
        topology.handle(node)
    }
}

impl<S: AvroRecord + Default> Sessions<S> {
    /// The sessions with a record at `at` among them, once `work` has been at the aggregate of its session.
    fn with<R>(
        self,
        at: Timestamp,
        window: SessionWindow,
        stream_time: Timestamp,
        merge: impl Fn(&mut S, S),
        work: impl FnOnce(&mut S) -> R,
    ) -> (Self, R) {
        let open = self.sessions.into_iter().filter(|session| window.is_open(session.end, stream_time));
        let (joined, mut sessions): (Vec<_>, Vec<_>) = open.partition(|session| window.joins(session, at));
        let is_late = joined.is_empty() && !window.is_open(at, stream_time);
        let mut joined = joined.into_iter();
        let mut session = joined.next().unwrap_or_else(|| Session { start: at, end: at, aggregate: S::default() });
        for later in joined {
            session.end = later.end;
            merge(&mut session.aggregate, later.aggregate);
        }
        session.start = session.start.min(at);
        session.end = session.end.max(at);
        let result = work(&mut session.aggregate);
        if !is_late {
            let place = sessions.partition_point(|other| other.start < session.start);
            sessions.insert(place, session);
        }
        (Self { sessions }, result)
    }
}

impl SessionWindow {
    /// Whether a record at `at` belongs to the session.
    fn joins<S>(self, session: &Session<S>, at: Timestamp) -> bool {
        session.start <= at + self.inactivity_gap && at <= session.end + self.inactivity_gap
    }

    /// Whether a session that ended at `end` may still get a record.
    fn is_open(self, end: Timestamp, stream_time: Timestamp) -> bool {
        end + self.inactivity_gap + self.grace >= stream_time
    }
}

impl<S> Default for Sessions<S> {
    fn default() -> Self {
        Self { sessions: Vec::new() }
    }
}

/// Sessions around the schema of their aggregate.
impl<S: AvroRecord> AvroRecord for Sessions<S> {
    const SCHEMA: &'static str = S::SCHEMA;

    fn schema() -> String {
        let time = r#"{"type": "long", "logicalType": "timestamp-millis"}"#;
        format!(
            r#"{{"type": "record", "name": "Sessions", "fields": [{{"name": "sessions", "type": {{"type": "array", "items":
            {{"type": "record", "name": "Session", "fields": [
            {{"name": "start", "type": {time}}}, {{"name": "end", "type": {time}}}, {{"name": "aggregate", "type": {}}}]}}}}}}]}}"#,
            S::schema()
        )
    }
}

impl<V, S> fmt::Debug for SessionStream<'_, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStream").field("window", &self.window).finish_non_exhaustive()
    }
}
