use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use avro_codec::{AvroRecord, Schemas};
use streams::{CommittedStore, Store};
use tokio::sync::Notify;

use crate::partition::partition_of;

/// Reads the committed state of a store, and waits for it to change: the reading side of a blocking read.
pub struct View<S> {
    store: String,
    shares: Arc<Shares>,
    schemas: Schemas,
    value: PhantomData<fn() -> S>,
}

/// Why a view has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The share of the key is not here: not assigned yet, or not restored yet.
    #[error("the partition of the key is not being served by this instance at the moment")]
    NotServed,
    /// The stored value cannot be read.
    #[error("the stored value cannot be decoded: {0}")]
    Undecodable(String),
}

/// The shares of all stores that this process serves, and who waits for a key of them.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    served: RwLock<HashMap<(String, i32), Arc<CommittedStore>>>,
    partitions: RwLock<HashMap<String, i32>>,
    waiting: Mutex<HashMap<(String, String), Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    changed: Arc<Notify>,
    waiters: usize,
}

/// Holds a place among those who wait for a key, and gives it up when dropped: a caller that hangs up leaves nothing.
struct Place<'a> {
    shares: &'a Shares,
    key: (String, String),
    changed: Arc<Notify>,
}

impl<S: AvroRecord> View<S> {
    pub(crate) fn new(store: &Store<S>, shares: Arc<Shares>, schemas: Schemas) -> Self {
        Self { store: store.name().to_string(), shares, schemas, value: PhantomData }
    }

    /// The committed value of `key`.
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn get(&self, key: &str) -> Result<Option<S>, ViewError> {
        let share = self.shares.share(&self.store, key).ok_or(ViewError::NotServed)?;
        let value = share.get(key).map(|bytes| self.schemas.decode(&bytes)).transpose();
        value.map_err(|error| ViewError::Undecodable(error.to_string()))
    }

    /// Waits until `choose` accepts the committed value of `key`. The caller sets the deadline by dropping the future.
    ///
    /// The waiter is registered before the store is read, so a commit between the two is not missed; a partition that
    /// is not served yet is waited for like a value.
    ///
    /// # Errors
    /// [`ViewError::Undecodable`].
    pub async fn wait_for<R>(&self, key: &str, mut choose: impl FnMut(S) -> Option<R>) -> Result<R, ViewError> {
        let place = self.shares.take_place(&self.store, key);
        loop {
            let mut changed = pin!(place.changed.notified());
            changed.as_mut().enable();
            match self.get(key) {
                Ok(Some(value)) => {
                    if let Some(chosen) = choose(value) {
                        return Ok(chosen);
                    }
                }
                Ok(None) | Err(ViewError::NotServed) => {}
                Err(error) => return Err(error),
            }
            changed.await;
        }
    }

    /// How many callers wait for a key of any store.
    pub fn waiters(&self) -> usize {
        self.shares.waiters()
    }
}

impl Shares {
    pub(crate) fn waiters(&self) -> usize {
        self.waiting().values().map(|waiting| waiting.waiters).sum()
    }

    /// Says into how many partitions a store is split.
    pub(crate) fn declare(&self, store: &str, partitions: i32) {
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).insert(store.to_string(), partitions);
    }

    /// Begins to serve a share, and wakes everyone who waited for it.
    pub(crate) fn serve(&self, store: &str, partition: i32, share: Arc<CommittedStore>) {
        self.served_mut().insert((store.to_string(), partition), share);
        self.waiting().values().for_each(|waiting| waiting.changed.notify_waiters());
    }

    /// Stops serving a share.
    pub(crate) fn withdraw(&self, store: &str, partition: i32) {
        self.served_mut().remove(&(store.to_string(), partition));
    }

    /// Wakes everyone who waits for `key`.
    pub(crate) fn wake(&self, store: &str, key: &str) {
        let waiting = self.waiting();
        if waiting.is_empty() {
            return;
        }
        if let Some(waiting) = waiting.get(&(store.to_string(), key.to_string())) {
            waiting.changed.notify_waiters();
        }
    }

    fn share(&self, store: &str, key: &str) -> Option<Arc<CommittedStore>> {
        let partitions = *self.partitions.read().unwrap_or_else(PoisonError::into_inner).get(store)?;
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        served.get(&(store.to_string(), partition_of(key, partitions))).cloned()
    }

    fn take_place(&self, store: &str, key: &str) -> Place<'_> {
        let key = (store.to_string(), key.to_string());
        let mut waiting = self.waiting();
        let entry =
            waiting.entry(key.clone()).or_insert_with(|| Waiting { changed: Arc::new(Notify::new()), waiters: 0 });
        entry.waiters += 1;
        let changed = entry.changed.clone();
        Place { shares: self, key, changed }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served_mut(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<(String, i32), Arc<CommittedStore>>> {
        self.served.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.shares.waiting();
        if let Some(entry) = waiting.get_mut(&self.key) {
            entry.waiters -= 1;
            if entry.waiters == 0 {
                waiting.remove(&self.key);
            }
        }
    }
}

impl<S> Clone for View<S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            shares: self.shares.clone(),
            schemas: self.schemas.clone(),
            value: PhantomData,
        }
    }
}

impl<S> fmt::Debug for View<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("store", &self.store).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::{Deserialize, Serialize};
    use tokio::time::timeout;

    use super::*;

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

    /// A store of one partition, and who commits to it.
    #[derive(Clone)]
    struct Gauge {
        shares: Arc<Shares>,
        schemas: Schemas,
        share: Arc<CommittedStore>,
    }

    impl Gauge {
        fn new() -> Self {
            let gauge = Self { shares: Arc::default(), schemas: Schemas::local(), share: Arc::default() };
            gauge.shares.declare("levels", 1);
            gauge.shares.serve("levels", 0, gauge.share.clone());
            gauge
        }

        fn view(&self) -> View<Level> {
            View::new(&LEVELS, self.shares.clone(), self.schemas.clone())
        }

        fn commit(&self, key: &str, centimetres: i64) {
            let value = self.schemas.encode("levels-value", &Level { centimetres }).unwrap();
            self.share.apply([(key.into(), Some(value.into()))].into_iter());
            self.shares.wake("levels", key);
        }
    }

    fn at_least(centimetres: i64) -> impl FnMut(Level) -> Option<i64> {
        move |level| (level.centimetres >= centimetres).then_some(level.centimetres)
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
        assert!(gauge.shares.waiting().is_empty());
    }

    #[tokio::test]
    async fn a_share_that_is_not_served_yet_is_waited_for() {
        let gauge = Gauge::new();
        gauge.shares.withdraw("levels", 0);
        gauge.commit("weir", 1);
        let view = gauge.view();
        assert_eq!(view.get("weir"), Err(ViewError::NotServed));
        let waiting = tokio::spawn({
            let view = view.clone();
            async move { view.wait_for("weir", at_least(1)).await }
        });
        while view.waiters() == 0 {
            tokio::task::yield_now().await;
        }
        gauge.shares.serve("levels", 0, gauge.share.clone());
        assert_eq!(timeout(DEADLINE, waiting).await.expect("woken").unwrap(), Ok(1));
    }
}
