use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use avro_codec::SchemaId;
use serde::{Deserialize, Serialize};
use streams::{Change, Checkpoint, MemoryStore, StateStore};
use tokio::time::timeout;

use super::*;
use crate::owners::{Described, Owners};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Level {
    centimetres: i64,
}

impl AvroRecord for Level {
    const SCHEMA: &'static str =
        r#"{"type": "record", "name": "Level", "fields": [{"name": "centimetres", "type": "long"}]}"#;
}

const LEVELS: Store<Level> = Store::new("levels");
const DEADLINE: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(5);
const ME: &str = "http://me#1";
const OTHER: &str = "http://other#1";

/// A store of one partition, who commits to it, and a clock in the hand of the test.
#[derive(Clone)]
struct Gauge {
    shares: Arc<Shares>,
    schemas: Schemas,
    share: Arc<dyn StateStore>,
    now_ms: Arc<AtomicU64>,
}

impl Gauge {
    fn new() -> Self {
        Self::with(|_| Arc::new(MemoryStore::default()))
    }

    fn with(share: impl FnOnce(Arc<AtomicU64>) -> Arc<dyn StateStore>) -> Self {
        let now_ms = Arc::new(AtomicU64::new(0));
        let clock = now_ms.clone();
        let clock = move || Duration::from_millis(clock.load(Ordering::SeqCst));
        let stores = HashMap::from([("levels".to_string(), ("gauges".to_string(), 1))]);
        let shares = Arc::new(Shares::new(Owners::with_clock(ME.to_string(), stores, LEASE, clock)));
        let gauge = Self { shares, schemas: Schemas::local(), share: share(now_ms.clone()), now_ms };
        gauge.shares.serve("levels", 0, gauge.share.clone());
        gauge.describe(ME);
        gauge
    }

    fn view(&self) -> View<Level> {
        View::new(&LEVELS, self.shares.clone(), self.schemas.clone())
    }

    fn commit(&self, key: &str, centimetres: i64) {
        let value = self.schemas.encode("levels-value", &Level { centimetres }).unwrap();
        self.share.apply(&mut [(key.into(), Some(value.into()))].into_iter(), None).unwrap();
        self.shares.wake("levels", key);
    }

    /// The broker says whose the partition is.
    fn describe(&self, member: &str) {
        let members = HashMap::from([("gauges".to_string(), HashMap::from([(0, member.to_string())]))]);
        self.shares.described(Described { asked_at: Some(self.shares.owners().now()), members });
    }

    /// Time passes, and the process is awake.
    fn pass(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        let now = self.now_ms.load(Ordering::SeqCst);
        for step in (now..now + millis).step_by(1000) {
            self.now_ms.store(step, Ordering::SeqCst);
            self.shares.owners().beat();
        }
        self.now_ms.store(now + millis, Ordering::SeqCst);
    }
}

fn at_least(centimetres: i64) -> impl FnMut(Level) -> Option<i64> {
    move |level| (level.centimetres >= centimetres).then_some(level.centimetres)
}

/// A store in front of which the process is stopped, after it has been read.
#[derive(Debug)]
struct Stalling(MemoryStore, Arc<AtomicU64>);

impl StateStore for Stalling {
    fn look(&self, key: &str, look: &mut dyn FnMut(Option<&[u8]>)) -> Result<(), StoreError> {
        self.0.look(key, look)?;
        self.1.fetch_add(60_000, Ordering::SeqCst);
        Ok(())
    }

    fn visit(&self, visit: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        self.0.visit(visit)
    }

    fn range(&self, from: &str, to: &str, visit: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        self.0.range(from, to, visit)
    }

    fn apply(&self, changes: &mut dyn Iterator<Item = Change>, to: Option<Checkpoint>) -> Result<(), StoreError> {
        self.0.apply(changes, to)
    }

    fn checkpoint(&self) -> Option<Checkpoint> {
        self.0.checkpoint()
    }

    fn clear(&self) -> Result<(), StoreError> {
        self.0.clear()
    }

    fn touch(&self) -> Result<(), StoreError> {
        self.0.touch()
    }

    fn schema_ids(&self) -> Vec<SchemaId> {
        self.0.schema_ids()
    }
}

#[tokio::test]
async fn a_thousand_waiters_on_one_key_are_all_woken_by_one_commit() {
    let gauge = Gauge::new();
    let waiters: Vec<_> = (0..1000)
        .map(|_| {
            let view = gauge.view();
            tokio::spawn(async move { view.wait_for("weir", at_least(7)).await })
        })
        .collect();
    while gauge.view().waiters() < 1000 {
        tokio::task::yield_now().await;
    }
    gauge.commit("sluice", 9);
    gauge.commit("weir", 7);
    for waiter in waiters {
        assert_eq!(timeout(DEADLINE, waiter).await.expect("woken").unwrap(), Ok(7));
    }
    assert_eq!(gauge.view().waiters(), 0);
}

#[tokio::test]
async fn a_commit_between_the_read_and_the_wait_is_not_missed() {
    let gauge = Gauge::new();
    gauge.commit("weir", 1);
    let committer = gauge.clone();
    let mut reads = 0;
    let view = gauge.view();
    // The commit happens exactly when the waiter has read the old value and does not wait yet.
    let waited = view.wait_for("weir", move |level| {
        reads += 1;
        if reads == 1 {
            committer.commit("weir", 2);
        }
        (level.centimetres == 2).then_some(reads)
    });
    assert_eq!(timeout(DEADLINE, waited).await.expect("woken"), Ok(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_race_with_waiters_wake_every_one() {
    let gauge = Gauge::new();
    for n in 1..=2000 {
        let key = format!("weir-{n}");
        let (view, committer) = (gauge.view(), gauge.clone());
        let waiting = tokio::spawn({
            let key = key.clone();
            async move { view.wait_for(&key, at_least(1)).await }
        });
        let committing = tokio::spawn(async move { committer.commit(&key, 1) });
        assert_eq!(timeout(DEADLINE, waiting).await.expect("woken").unwrap(), Ok(1));
        committing.await.unwrap();
    }
}

#[tokio::test]
async fn a_waiter_that_goes_away_leaves_nothing_behind() {
    let gauge = Gauge::new();
    let view = gauge.view();
    assert!(timeout(Duration::from_millis(1), view.wait_for("weir", at_least(1))).await.is_err());
    assert_eq!(view.waiters(), 0);
}

#[tokio::test]
async fn a_share_that_is_not_served_yet_is_waited_for() {
    let gauge = Gauge::new();
    gauge.shares.withdraw("levels", 0, &gauge.share);
    gauge.commit("weir", 1);
    let view = gauge.view();
    assert_eq!(view.get("weir"), Err(ViewError::NotServed));
    let waiting = tokio::spawn(async move { view.wait_for("weir", at_least(1)).await });
    while gauge.view().waiters() == 0 {
        tokio::task::yield_now().await;
    }
    gauge.shares.serve("levels", 0, gauge.share.clone());
    assert_eq!(timeout(DEADLINE, waiting).await.expect("woken").unwrap(), Ok(1));
}

#[test]
fn nobody_answers_who_has_not_heard_from_the_broker_for_half_a_session() {
    let gauge = Gauge::new();
    gauge.commit("weir", 1);
    gauge.pass(LEASE - Duration::from_millis(1));
    assert_eq!(gauge.view().get("weir"), Ok(Some(Level { centimetres: 1 })));
    gauge.pass(Duration::from_millis(1));
    assert_eq!(gauge.view().get("weir"), Err(ViewError::NotServed));
    gauge.describe(OTHER);
    assert_eq!(gauge.view().get("weir"), Err(ViewError::NotServed), "it is another's now");
    gauge.describe(ME);
    assert_eq!(gauge.view().get("weir"), Ok(Some(Level { centimetres: 1 })));
}

#[test]
fn a_zombie_that_was_stopped_behind_the_read_does_not_answer_from_the_past() {
    let gauge = Gauge::with(|clock| Arc::new(Stalling(MemoryStore::default(), clock)));
    gauge.commit("weir", 1);
    assert_eq!(gauge.view().get("weir"), Err(ViewError::NotServed));
}

#[tokio::test]
async fn who_waits_learns_that_the_partition_was_given_away_and_to_whom() {
    let gauge = Gauge::new();
    let view = EncodedView::new("levels", gauge.shares.clone());
    let mut watch = view.watch("weir");
    watch.look();
    assert_eq!((view.get("weir"), view.owner("weir")), (Ok(None), Owner::Here));
    gauge.shares.withdraw("levels", 0, &gauge.share);
    timeout(DEADLINE, watch.changed()).await.expect("it is no longer served");
    watch.look();
    gauge.describe(OTHER);
    timeout(DEADLINE, watch.changed()).await.expect("its owner is known");
    assert_eq!(view.owner("weir"), Owner::There("http://other".to_string()));
}

#[tokio::test]
async fn who_waits_while_the_broker_is_silent_is_woken_when_it_speaks_again() {
    let gauge = Gauge::new();
    gauge.pass(LEASE);
    gauge.commit("weir", 1);
    let view = gauge.view();
    let waiting = tokio::spawn(async move { view.wait_for("weir", at_least(1)).await });
    while gauge.view().waiters() == 0 {
        tokio::task::yield_now().await;
    }
    gauge.describe(ME);
    assert_eq!(timeout(DEADLINE, waiting).await.expect("woken").unwrap(), Ok(1));
}
