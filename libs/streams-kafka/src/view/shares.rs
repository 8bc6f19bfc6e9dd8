use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use streams::StateStore;
use tokio::sync::watch;

use super::ViewError;
use crate::owners::{Described, Owner, Owners};

/// The shares of all stores that this process serves, who waits for a key of them, and who serves the others.
#[derive(Debug)]
pub(crate) struct Shares {
    owners: Owners,
    served: RwLock<Served>,
    waiting: Mutex<HashMap<(String, String), Waiting>>,
}

/// By store and partition.
type Served = HashMap<String, HashMap<i32, Arc<dyn StateStore>>>;

/// A place among those who wait for news of a key. Dropping it gives the place up: a caller that hangs up leaves nothing.
#[derive(Debug)]
pub struct Watch {
    shares: Arc<Shares>,
    key: (String, String),
    changed: watch::Receiver<()>,
}

#[derive(Debug)]
struct Waiting {
    changed: watch::Sender<()>,
    waiters: usize,
}

impl Watch {
    /// News up to now are known to the caller, who is about to look for itself.
    pub fn look(&mut self) {
        self.changed.mark_unchanged();
    }

    /// Waits for news since the last [`look`](Self::look): the key was written, its partition was taken over or given
    /// away, or who serves it was found out.
    pub async fn changed(&mut self) {
        // The sender lives as long as there are places.
        let _ = self.changed.changed().await;
    }
}

impl Shares {
    pub(crate) fn new(owners: Owners) -> Self {
        Self { owners, served: RwLock::default(), waiting: Mutex::default() }
    }

    pub(crate) fn owners(&self) -> &Owners {
        &self.owners
    }

    pub(crate) fn waiters(&self) -> usize {
        self.waiting().values().map(|waiting| waiting.waiters).sum()
    }

    /// Begins to serve a share, and wakes everyone who waited for it.
    pub(crate) fn serve(&self, store: &str, partition: i32, share: Arc<dyn StateStore>) {
        self.served_mut().entry(store.to_string()).or_default().insert(partition, share);
        self.owners.ask();
        self.wake_all();
    }

    /// Stops serving a share, if another thread has not begun to since. Who waits for one of its keys is to wait elsewhere.
    pub(crate) fn withdraw(&self, store: &str, partition: i32, share: &Arc<dyn StateStore>) {
        if let Some(shares) = self.served_mut().get_mut(store)
            && shares.get(&partition).is_some_and(|served| Arc::ptr_eq(served, share))
        {
            shares.remove(&partition);
        }
        self.owners.ask();
        self.wake_all();
    }

    /// Learns who serves what, and wakes everyone for whom that is news.
    pub(crate) fn described(&self, described: Described) {
        if self.owners.learn(described) {
            self.wake_all();
        }
    }

    /// Wakes everyone who waits for `key`.
    pub(crate) fn wake(&self, store: &str, key: &str) {
        let waiting = self.waiting();
        if waiting.is_empty() {
            return;
        }
        if let Some(waiting) = waiting.get(&(store.to_string(), key.to_string())) {
            waiting.changed.send_replace(());
        }
    }

    /// The committed, encoded value of `key`, if this process may speak for it.
    pub(super) fn read(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>, ViewError> {
        let partition = self.owners.partition(store, key).ok_or(ViewError::NotServed)?;
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        let share = served.get(store).and_then(|shares| shares.get(&partition)).ok_or(ViewError::NotServed)?;
        // Held meanwhile, so that no share is read that has been given away.
        let value = share.get(key).map_err(ViewError::Store)?;
        drop(served);
        if self.owners.is_here(store, partition) {
            Ok(value)
        } else {
            self.owners.ask();
            Err(ViewError::NotServed)
        }
    }

    pub(super) fn owner(&self, store: &str, key: &str) -> Owner {
        self.owners.partition(store, key).map_or(Owner::Unknown, |partition| self.owners.owner(store, partition))
    }

    pub(super) fn watch(self: &Arc<Self>, store: &str, key: &str) -> Watch {
        let key = (store.to_string(), key.to_string());
        let mut waiting = self.waiting();
        let entry = waiting.entry(key.clone());
        let entry = entry.or_insert_with(|| Waiting { changed: watch::Sender::new(()), waiters: 0 });
        entry.waiters += 1;
        let changed = entry.changed.subscribe();
        Watch { shares: self.clone(), key, changed }
    }

    fn wake_all(&self) {
        self.waiting().values().for_each(|waiting| {
            waiting.changed.send_replace(());
        });
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<(String, String), Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served_mut(&self) -> RwLockWriteGuard<'_, Served> {
        self.served.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
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
