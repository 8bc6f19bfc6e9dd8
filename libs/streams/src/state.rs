use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use avro_codec::SchemaId;

/// The committed entries of one task's share of a store: encoded values by key, as they stand in the changelog, and how
/// much of the changelog they hold.
///
/// The stream thread alone writes, an epoch at a time; any number of readers see the state between two epochs. A runner
/// decides where a store is kept: [`MemoryStore`] is in memory.
pub trait StateStore: fmt::Debug + Send + Sync {
    /// Shows the encoded value of `key` without copying it.
    ///
    /// # Errors
    /// The store does not answer.
    fn look(&self, key: &str, look: &mut dyn FnMut(Option<&[u8]>)) -> Result<(), StoreError>;

    /// Shows all entries, in no order.
    ///
    /// # Errors
    /// The store does not answer.
    fn visit(&self, visit: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError>;

    /// Shows the entries from the key `from` up to, but without, the key `to`, in the order of their keys' bytes.
    ///
    /// # Errors
    /// The store does not answer.
    fn range(&self, from: &str, to: &str, visit: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError>;

    /// Applies changes, and the checkpoint they lead to, at once: readers and successors see all or none. Without a
    /// checkpoint the store keeps the one it has.
    ///
    /// # Errors
    /// The store does not answer; then nothing has changed.
    fn apply(
        &self,
        changes: &mut dyn Iterator<Item = Change>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<(), StoreError>;

    /// How much of the changelog the entries hold; nothing of it if unknown.
    fn checkpoint(&self) -> Option<Checkpoint>;

    /// Removes all entries and the checkpoint.
    ///
    /// # Errors
    /// The store does not answer.
    fn clear(&self) -> Result<(), StoreError>;

    /// Notes that the entries are now what the changelog says up to the checkpoint, removals included. A store that
    /// outlives its process is not trusted after its changelog may have forgotten removals since.
    ///
    /// # Errors
    /// The store does not answer.
    fn touch(&self) -> Result<(), StoreError>;

    /// Ids of the schemas with which values were written that this process may not have met.
    fn schema_ids(&self) -> Vec<SchemaId>;
}

/// A key and its new encoded value; without a value the key is removed.
pub type Change = (Box<str>, Option<Box<[u8]>>);

/// How much of a changelog a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Offset of the first record that is not in the store.
    pub offset: i64,
    /// Highest timestamp of the records before it, in milliseconds since the epoch.
    pub timestamp: i64,
}

/// What a store is rebuilt from: a table up to the committed offset of its topic, any other store from its whole changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoration {
    /// Name of the store.
    pub store: String,
    /// The topic to read, at the partition of the task.
    pub topic: String,
    /// Whether the topic is also an input: then it is read up to the committed offset only.
    pub is_input: bool,
}

/// Broken machinery: a store that cannot be read or written. No record is to blame, so none is put aside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It does not answer: why.
    #[error("{0}")]
    Broken(String),
    /// Another task has opened the share, by name, since; this one has lost it.
    #[error("{0} was opened anew by another task")]
    Superseded(String),
}

/// Longest key a store takes, in bytes; one on disk could not hold more.
pub const MAX_KEY_BYTES: usize = 65_535;

/// A store in memory, which ends with its process.
#[derive(Debug, Default)]
pub struct MemoryStore(RwLock<Contents>);

#[derive(Debug, Default)]
struct Contents {
    entries: BTreeMap<Box<str>, Box<[u8]>>,
    checkpoint: Option<Checkpoint>,
}

impl StoreError {
    /// An error with the words of its cause.
    pub fn new(cause: impl fmt::Display) -> Self {
        Self::Broken(cause.to_string())
    }
}

impl dyn StateStore {
    /// A copy of the encoded value of `key`.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut found = None;
        self.look(key, &mut |value| found = value.map(<[u8]>::to_vec))?;
        Ok(found)
    }
}

impl StateStore for MemoryStore {
    fn look(&self, key: &str, look: &mut dyn FnMut(Option<&[u8]>)) -> Result<(), StoreError> {
        look(self.contents().entries.get(key).map(Box::as_ref));
        Ok(())
    }

    fn visit(&self, visit: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        self.contents().entries.iter().for_each(|(key, value)| visit(key, value));
        Ok(())
    }

    fn range(&self, from: &str, to: &str, visit: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        let within = (Bound::Included(from), Bound::Excluded(to));
        self.contents().entries.range::<str, _>(within).for_each(|(key, value)| visit(key, value));
        Ok(())
    }

    fn apply(
        &self,
        changes: &mut dyn Iterator<Item = Change>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<(), StoreError> {
        // A writer that panicked half way cannot leave a broken map: every insert is whole.
        let mut contents = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in changes {
            match value {
                Some(value) => contents.entries.insert(key, value),
                None => contents.entries.remove(&key),
            };
        }
        contents.checkpoint = checkpoint.or(contents.checkpoint);
        Ok(())
    }

    fn checkpoint(&self) -> Option<Checkpoint> {
        self.contents().checkpoint
    }

    fn clear(&self) -> Result<(), StoreError> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Contents::default();
        Ok(())
    }

    fn touch(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn schema_ids(&self) -> Vec<SchemaId> {
        // This process has read or written all of them.
        Vec::new()
    }
}

impl MemoryStore {
    fn contents(&self) -> RwLockReadGuard<'_, Contents> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
