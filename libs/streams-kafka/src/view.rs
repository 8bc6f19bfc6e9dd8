mod shares;
#[cfg(test)]
mod tests;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use avro_codec::{AvroRecord, Schemas};
use streams::{Store, StoreError};

pub(crate) use self::shares::Shares;
pub use self::shares::Watch;
use crate::owners::Owner;

/// Reads the committed state of a store as far as this process serves it, and waits for it to change.
pub struct View<S> {
    encoded: EncodedView,
    schemas: Schemas,
    value: PhantomData<fn() -> S>,
}

/// A [`View`] of values as they are stored, which tells besides who serves the keys that are not served here.
#[derive(Clone, Debug)]
pub struct EncodedView {
    store: String,
    shares: Arc<Shares>,
}

/// Why a view has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// This process does not speak for the key: its partition is another's, not restored yet, or was not confirmed to be
    /// this one's for half a session timeout.
    #[error("the partition of the key is not being served by this instance at the moment")]
    NotServed,
    /// The stored value cannot be read.
    #[error("the stored value cannot be decoded: {0}")]
    Undecodable(String),
    /// The store does not answer.
    #[error("the store is broken: {0}")]
    Store(StoreError),
}

impl<S: AvroRecord> View<S> {
    pub(crate) fn new(store: &Store<S>, shares: Arc<Shares>, schemas: Schemas) -> Self {
        Self { encoded: EncodedView::new(store.name(), shares), schemas, value: PhantomData }
    }

    /// The committed value of `key`.
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn get(&self, key: &str) -> Result<Option<S>, ViewError> {
        let value = self.encoded.get(key)?.map(|bytes| self.schemas.decode(&bytes)).transpose();
        value.map_err(|error| ViewError::Undecodable(error.to_string()))
    }

    /// Waits until `choose` accepts the committed value of `key`. The caller sets the deadline by dropping the future.
    ///
    /// The waiter is registered before the store is read, so a commit between the two is not missed; a partition that
    /// is not served here is waited for like a value.
    ///
    /// # Errors
    /// [`ViewError`], but not [`ViewError::NotServed`].
    pub async fn wait_for<R>(&self, key: &str, mut choose: impl FnMut(S) -> Option<R>) -> Result<R, ViewError> {
        let mut watch = self.encoded.watch(key);
        loop {
            watch.look();
            match self.get(key) {
                Ok(Some(value)) => {
                    if let Some(chosen) = choose(value) {
                        return Ok(chosen);
                    }
                }
                Ok(None) | Err(ViewError::NotServed) => {}
                Err(error) => return Err(error),
            }
            watch.changed().await;
        }
    }

    /// How many callers wait for a key of any store.
    pub fn waiters(&self) -> usize {
        self.encoded.shares.waiters()
    }
}

impl EncodedView {
    pub(crate) fn new(store: &str, shares: Arc<Shares>) -> Self {
        Self { store: store.to_string(), shares }
    }

    /// The committed value of `key`, if this process may speak for it.
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ViewError> {
        self.shares.read(&self.store, key)
    }

    /// Takes a place among those who wait for news of `key`. To be taken before reading, so that nothing is missed.
    pub fn watch(&self, key: &str) -> Watch {
        self.shares.watch(&self.store, key)
    }

    /// Who serves `key`, as far as is known.
    pub fn owner(&self, key: &str) -> Owner {
        self.shares.owner(&self.store, key)
    }

    /// Has the broker asked who serves what. Whoever watches a key hears of it if that has changed.
    pub fn ask(&self) {
        self.shares.owners().ask();
    }
}

impl<S> Clone for View<S> {
    fn clone(&self) -> Self {
        Self { encoded: self.encoded.clone(), schemas: self.schemas.clone(), value: PhantomData }
    }
}

impl<S> fmt::Debug for View<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("store", &self.encoded.store).finish_non_exhaustive()
    }
}
