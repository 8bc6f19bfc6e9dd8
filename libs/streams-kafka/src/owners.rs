//! Who serves which partition. The broker knows, and tells whoever asks it to describe the group.
//!
//! A member says what it is called in the `client.rack` of its subscription: its URL, and as the fragment which run of the
//! process it is. Neither `client.id` nor the host would do: for a static member that comes back (KIP-345) the broker goes
//! on describing those it had before (seen with Kafka 4.1.1). The name is no rack of any broker, so that the range assignor
//! and the fetching from followers take no notice of it.

mod consumer_protocol;
mod describing;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::Duration;

use streams::Graph;

pub(crate) use self::consumer_protocol::{partitions, rack};
pub(crate) use self::describing::describe;
use crate::Settings;
use crate::clock::{Stopwatch, wall_clock};
use crate::partition::partition_of;

/// Where the partition of a key is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// By this process; soon, if it does not answer yet.
    Here,
    /// By another instance, with its advertised URL.
    There(String),
    /// Not known: the group is being rebalanced, or its owner is gone, or does not say where it is.
    Unknown,
}

/// What is known of the owners of all partitions, and how old that is.
pub(crate) struct Owners {
    /// What this process is called in its group.
    member: String,
    /// By store: the topic whose owners are its owners, and into how many partitions it is split.
    stores: HashMap<String, (String, i32)>,
    /// How long a description counts.
    lease: Duration,
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    /// When the process was last seen to be awake, in milliseconds by the clock.
    pulse: AtomicU64,
    latest: RwLock<Described>,
    question: Mutex<Question>,
    asked: Condvar,
}

/// The group as it was when it was last stable.
#[derive(Debug, Default)]
pub(crate) struct Described {
    /// The moment before the question: what the answer says was true after it. None: it may be true no more.
    pub(crate) asked_at: Option<Duration>,
    /// By topic and partition, the name of the member that has it.
    pub(crate) members: HashMap<String, HashMap<i32, String>>,
}

#[derive(Debug, Default)]
struct Question {
    is_asked: bool,
    is_over: bool,
}

/// How old a description gets if nobody asks.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);
/// Between two looks at the clock.
const PULSE_INTERVAL: Duration = Duration::from_millis(250);
/// A process that was away for so long knows nothing of its group any more: a successor in its slot takes its partitions
/// over as soon as it is there.
const STANDSTILL: Duration = Duration::from_millis(1500);
/// Between two questions to the broker, however many ask.
const LEAST_INTERVAL: Duration = Duration::from_millis(50);

impl Owners {
    pub(crate) fn new(graph: &Graph, settings: &Settings) -> Self {
        let mut stores = HashMap::new();
        for part in graph.describe().sub_topologies {
            // All inputs of a sub-topology are assigned alike: any of them will do.
            let Some(input) = graph.inputs().find(|input| part.sources.contains(&input.name)) else { continue };
            let of_input = |store| (store, (settings.topic(&input.name), input.partitions));
            stores.extend(part.stores.into_keys().map(of_input));
        }
        // By both clocks: one stands still while the machine sleeps, the other can be set.
        let (started, began) = (Stopwatch::start(), wall_clock());
        let latest = AtomicU64::default();
        let clock = move || {
            let wall = wall_clock().as_millis().saturating_sub(began.as_millis());
            let now = as_millis(started.elapsed()).max(u64::try_from(wall).unwrap_or_default());
            // It never goes back, whoever sets a clock.
            Duration::from_millis(latest.fetch_max(now, Ordering::AcqRel).max(now))
        };
        Self::with_clock(settings.member_name(), stores, settings.session_timeout / 2, clock)
    }

    /// With a clock that shows how long it has been running.
    pub(crate) fn with_clock(
        member: String,
        stores: HashMap<String, (String, i32)>,
        lease: Duration,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        let (latest, question) = (RwLock::default(), Mutex::default());
        let pulse = AtomicU64::new(as_millis(clock()));
        Self { member, stores, lease, clock: Box::new(clock), pulse, latest, question, asked: Condvar::new() }
    }

    /// Whether the topology has such a store.
    pub(crate) fn has_store(&self, store: &str) -> bool {
        self.stores.contains_key(store)
    }

    /// Whether there is anything to be owned.
    pub(crate) fn has_stores(&self) -> bool {
        !self.stores.is_empty()
    }

    /// The partition of a key of a store.
    pub(crate) fn partition(&self, store: &str, key: &str) -> Option<i32> {
        self.stores.get(store).map(|(_, partitions)| partition_of(key, *partitions))
    }

    /// Who serves the partition, as far as is known; the owner that was known last may be gone.
    pub(crate) fn owner(&self, store: &str, partition: i32) -> Owner {
        let latest = self.latest();
        match self.member_of(&latest, store, partition) {
            None => Owner::Unknown,
            Some(member) if *member == self.member => Owner::Here,
            // Another run of this very instance: this one has not joined yet, or has been replaced.
            Some(member) if url(member) == url(&self.member) => Owner::Unknown,
            Some(member) if member.starts_with("http://") => Owner::There(url(member).to_string()),
            Some(_) => Owner::Unknown,
        }
    }

    /// Whether this process may answer for the partition *now*: the broker has named it as the owner, and not so long ago
    /// that another could have taken over without its knowledge. To be asked after the value was read: a process that was
    /// stopped in between must not answer from the past.
    pub(crate) fn is_here(&self, store: &str, partition: i32) -> bool {
        let latest = self.latest();
        self.is_fresh(&latest) && self.member_of(&latest, store, partition) == Some(&self.member)
    }

    /// Learns what the broker says. True if somebody who waits for an owner should look again.
    pub(crate) fn learn(&self, described: Described) -> bool {
        self.beat();
        let mut latest = self.latest_mut();
        let is_news = !self.is_fresh(&latest) || latest.members != described.members;
        let is_slow = described.asked_at.is_none_or(|asked_at| self.now().saturating_sub(asked_at) > STANDSTILL);
        *latest = if is_slow { Described { asked_at: None, ..described } } else { described };
        is_news
    }

    /// Notes that the process is awake. If it was away, what it knew of its group counts no more.
    pub(crate) fn beat(&self) {
        let now = as_millis(self.now());
        let before = self.pulse.load(Ordering::Acquire);
        if Duration::from_millis(now.saturating_sub(before)) > STANDSTILL {
            self.latest_mut().asked_at = None;
        }
        self.pulse.store(now, Ordering::Release);
    }

    /// Whether another member advertises this one's address at the same time: neither would find the other.
    pub(crate) fn is_doubled(&self) -> bool {
        let latest = self.latest();
        let mut members = latest.members.values().flat_map(HashMap::values);
        let mut doubles = latest.members.values().flat_map(HashMap::values);
        members.any(|member| *member == self.member)
            && doubles.any(|member| *member != self.member && url(member) == url(&self.member))
    }

    /// Has the broker asked soon; the answer is younger than this call.
    pub(crate) fn ask(&self) {
        self.question().is_asked = true;
        self.asked.notify_one();
    }

    /// Waits until somebody asks, for so long at most, and long enough that the broker is not asked too often.
    fn await_question(&self, interval: Duration) {
        thread::sleep(LEAST_INTERVAL);
        let mut left = interval - LEAST_INTERVAL;
        loop {
            self.beat();
            let is_quiet = |question: &mut Question| !question.is_asked && !question.is_over;
            let waited = self.asked.wait_timeout_while(self.question(), left.min(PULSE_INTERVAL), is_quiet);
            let (mut question, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            left = left.saturating_sub(PULSE_INTERVAL);
            if !waited.timed_out() || left.is_zero() {
                question.is_asked = false;
                return;
            }
        }
    }

    /// Lets the thread that asks the broker end.
    pub(crate) fn end(&self) {
        self.question().is_over = true;
        self.asked.notify_one();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.question().is_over
    }

    pub(crate) fn now(&self) -> Duration {
        (self.clock)()
    }

    fn member_of<'a>(&self, described: &'a Described, store: &str, partition: i32) -> Option<&'a String> {
        let (topic, _) = self.stores.get(store)?;
        described.members.get(topic)?.get(&partition)
    }

    fn is_fresh(&self, described: &Described) -> bool {
        let now = self.now();
        let is_awake = as_millis(now).saturating_sub(self.pulse.load(Ordering::Acquire)) < as_millis(STANDSTILL);
        is_awake && described.asked_at.is_some_and(|asked_at| now.saturating_sub(asked_at) < self.lease)
    }

    fn latest_mut(&self) -> RwLockWriteGuard<'_, Described> {
        self.latest.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn latest(&self) -> RwLockReadGuard<'_, Described> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn question(&self) -> MutexGuard<'_, Question> {
        self.question.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn as_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Where the member is, without which run of its process it is.
pub(crate) fn url(member: &str) -> &str {
    member.split('#').next().unwrap_or_default()
}

impl fmt::Debug for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owners").field("member", &self.member).field("latest", &self.latest).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LEASE: Duration = Duration::from_secs(5);

    fn owners(member: &str) -> Owners {
        owners_and_clock(member).0
    }

    /// With a clock in seconds in the hand of the test; it shows 100.
    fn owners_and_clock(member: &str) -> (Owners, Arc<AtomicU64>) {
        let stores = HashMap::from([("levels".to_string(), ("gauges".to_string(), 4))]);
        let clock = Arc::new(AtomicU64::new(100));
        let shown = clock.clone();
        let show = move || Duration::from_secs(shown.load(Ordering::SeqCst));
        (Owners::with_clock(member.to_string(), stores, LEASE, show), clock)
    }

    fn described(asked_at: u64, members: &[&str]) -> Described {
        let of_partition = |(partition, member): (i32, &&str)| (partition, member.to_string());
        let members = HashMap::from([("gauges".to_string(), (0..).zip(members).map(of_partition).collect())]);
        Described { asked_at: Some(Duration::from_secs(asked_at)), members }
    }

    #[test]
    fn an_owner_is_here_there_or_not_known() {
        let owners = owners("http://a:1#2");
        assert_eq!(owners.owner("levels", 0), Owner::Unknown, "nobody has been asked yet");
        owners.learn(described(99, &["http://a:1#2", "http://b:1#1", "adder.1#1"]));
        assert_eq!(owners.owner("levels", 0), Owner::Here);
        assert_eq!(owners.owner("levels", 1), Owner::There("http://b:1".to_string()));
        assert_eq!(owners.owner("levels", 2), Owner::Unknown, "it does not say where it is");
        assert_eq!(owners.owner("levels", 3), Owner::Unknown, "nobody has it");
        assert_eq!(owners.owner("others", 0), Owner::Unknown);
    }

    #[test]
    fn an_earlier_and_a_later_run_of_an_instance_are_not_taken_for_it() {
        let owners = owners("http://a:1#2");
        owners.learn(described(99, &["http://a:1#1", "http://a:1#3", "http://a:1#2"]));
        assert_eq!([0, 1].map(|partition| owners.owner("levels", partition)), [Owner::Unknown, Owner::Unknown]);
        assert_eq!([0, 1, 2].map(|partition| owners.is_here("levels", partition)), [false, false, true]);
    }

    #[test]
    fn what_was_heard_too_long_ago_does_not_count_for_an_answer() {
        let (owners, clock) = owners_and_clock("http://a:1#1");
        owners.learn(described(100, &["http://a:1#1"]));
        for second in 101..105 {
            clock.store(second, Ordering::SeqCst);
            owners.beat();
            assert!(owners.is_here("levels", 0), "after {second} s");
        }
        clock.store(105, Ordering::SeqCst);
        owners.beat();
        assert!(!owners.is_here("levels", 0));
        assert_eq!(owners.owner("levels", 0), Owner::Here, "but nobody else is known to have it");
    }

    #[test]
    fn a_process_that_stood_still_answers_nothing_before_it_has_heard_of_its_group_again() {
        let (owners, clock) = owners_and_clock("http://a:1#1");
        owners.learn(described(100, &["http://a:1#1"]));
        clock.store(102, Ordering::SeqCst);
        assert!(!owners.is_here("levels", 0), "a reader that is woken first");
        owners.beat();
        assert!(!owners.is_here("levels", 0), "one that is woken later");
        owners.learn(described(100, &["http://a:1#1"]));
        assert!(!owners.is_here("levels", 0), "what was asked before is of no use");
        owners.learn(described(102, &["http://a:1#1"]));
        assert!(owners.is_here("levels", 0));
    }

    #[test]
    fn an_address_that_two_members_advertise_is_noticed() {
        let owners = owners("http://a:1#2");
        owners.learn(described(100, &["http://a:1#2", "http://b:1#1"]));
        assert!(!owners.is_doubled());
        owners.learn(described(100, &["http://a:1#1", "http://b:1#1"]));
        assert!(!owners.is_doubled(), "an earlier run that is still described");
        owners.learn(described(100, &["http://a:1#2", "http://a:1#1"]));
        assert!(owners.is_doubled());
    }

    #[test]
    fn only_what_changes_is_news_or_what_is_heard_again_after_a_silence() {
        let owners = owners("http://a:1#1");
        assert!(owners.learn(described(90, &["http://a:1#1"])));
        assert!(owners.learn(described(99, &["http://a:1#1"])), "the silence is over");
        assert!(!owners.learn(described(100, &["http://a:1#1"])));
        assert!(owners.learn(described(100, &["http://b:1#1"])));
    }
}
