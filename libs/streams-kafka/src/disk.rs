mod database;
mod metadata;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeBounds;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use avro_codec::SchemaId;
use fjall::{Keyspace, KeyspaceCreateOptions, LsmError, OwnedWriteBatch, Readable};
use streams::{Change, Checkpoint, MAX_KEY_BYTES, StateStore, StoreError, Timestamp};

use crate::clock::wall_clock;
use database::{Database, Locked};
use metadata::Metadata;

/// The stores of one process on disk: one fjall database, a keyspace per share of a store.
///
/// An epoch is one batch, with the checkpoint in it, handed to the system and not synced: a killed process loses nothing,
/// and after a power cut the state is an older one, whole, to which the changelog adds the rest.
pub(crate) struct StateDirectory {
    /// Comes when its journal has been read, which takes as long as joining the group.
    database: Arc<OnceLock<Result<Arc<Database>, StoreError>>>,
    shares: Mutex<HashMap<String, Arc<Mutex<Tenure>>>>,
}

/// What a share on disk must be of to be of use.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// `cluster.id` of the brokers.
    pub(crate) cluster: String,
    /// Full name of the changelog topic.
    pub(crate) changelog: String,
    /// How many partitions the changelog has.
    pub(crate) partitions: i32,
    /// How long the changelog remembers what was removed (`delete.retention.ms`): older state may hold what is no more.
    pub(crate) retention: Duration,
}

/// A share that was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn StateStore>,
    /// Why what was there was thrown away, if it was.
    pub(crate) discarded: Option<String>,
}

/// A share of a store on disk. The entries, and under [`METADATA`] what they are.
struct DiskStore {
    keyspace: Keyspace,
    database: Arc<Database>,
    identity: Identity,
    tenure: Arc<Mutex<Tenure>>,
    number: u64,
}

/// Who may write to a share, of those who opened it: whoever was last. Held while writing.
#[derive(Debug, Default)]
struct Tenure {
    number: u64,
    /// What is on disk besides the entries; nothing of it without a checkpoint.
    metadata: Option<Metadata>,
}

/// No key of an entry, for it is not UTF-8, and behind all that are.
const METADATA: &[u8] = &[0xff];
/// Stands for the empty key, which fjall does not take; not UTF-8 either.
const EMPTY_KEY: &[u8] = &[0xfe];
/// What a share keeps in memory before it writes a table.
const MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;

impl StateDirectory {
    /// Locks the folder `path` and begins to open the database there; creates both if they are not there. What is
    /// damaged is thrown away.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let folder = Locked::new(path)?;
        let database = Arc::<OnceLock<_>>::default();
        let opened = database.clone();
        let open = move || {
            // Whoever waits for the answer would wait for ever.
            let database = catch_unwind(AssertUnwindSafe(|| Database::open(folder)));
            let panicked = || Err(StoreError::new("opening the local state panicked"));
            opened.set(database.unwrap_or_else(|_| panicked()).map(Arc::new)).is_ok()
        };
        thread::Builder::new().name("state-directory".to_string()).spawn(open).map_err(StoreError::new)?;
        Ok(Self { database, shares: Mutex::default() })
    }

    /// Opens a share, as soon as the database is open. What is there and does not fit is thrown away. Whoever opened it
    /// before can write to it no more.
    pub(crate) fn share(
        &self,
        store: &str,
        partition: i32,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Opened, StoreError> {
        let name = format!("{store}-{partition}");
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let database = self.database.wait().clone()?;
        let keyspace = database.fjall.keyspace(&name, options).map_err(|error| database.failed(error))?;
        let tenure = self.shares.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().clone();
        let mut current = tenure.lock().unwrap_or_else(PoisonError::into_inner);
        current.number += 1;
        let store = DiskStore {
            keyspace,
            database,
            identity: identity.clone(),
            tenure: tenure.clone(),
            number: current.number,
        };
        let found = store.find(now)?;
        if found.is_err() {
            store.empty()?;
        }
        let (metadata, discarded) = found.map_or_else(|why| (None, Some(why)), |metadata| (metadata, None));
        current.metadata = metadata;
        drop(current);
        Ok(Opened { store: Arc::new(store), discarded })
    }
}

impl StateStore for DiskStore {
    fn look(&self, key: &str, look: &mut dyn FnMut(Option<&[u8]>)) -> Result<(), StoreError> {
        let value = match stored(key) {
            // Without a snapshot, half of a batch could be seen.
            Some(key) => self.database.fjall.snapshot().get(&self.keyspace, key).map_err(|error| self.failed(error))?,
            None => None,
        };
        look(value.as_deref());
        Ok(())
    }

    fn visit(&self, visit: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        self.show(..METADATA, visit)
    }

    fn range(&self, from: &str, to: &str, visit: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        if from.is_empty() && !to.is_empty() {
            // On disk it is not before the others.
            self.look("", &mut |value| value.into_iter().for_each(|value| visit("", value)))?;
        }
        self.show(from.as_bytes()..to.as_bytes(), visit)
    }

    fn apply(
        &self,
        changes: &mut dyn Iterator<Item = Change>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<(), StoreError> {
        let mut changes: Vec<Change> = changes.collect();
        // In the memtable, neighbours are found fast; what most of a restore consists of. Equal keys keep their order.
        changes.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut tenure = self.tenure()?;
        let mut schema_ids = tenure.metadata.as_ref().map(|metadata| metadata.schema_ids.clone()).unwrap_or_default();
        let mut batch = self.database.fjall.batch();
        for (key, value) in changes {
            match (stored(&key), value) {
                (Some(stored), Some(value)) => {
                    schema_ids.extend(SchemaId::of(&value));
                    batch.insert(&self.keyspace, stored, &*value);
                }
                (Some(stored), None) => batch.remove(&self.keyspace, stored),
                // It was never there.
                (None, None) => {}
                (None, Some(_)) => {
                    return Err(StoreError::new(format!("a key of {} bytes is too long for a store", key.len())));
                }
            }
        }
        let before = tenure.metadata.as_ref();
        let checkpoint = checkpoint.or(before.map(|metadata| metadata.checkpoint));
        let touched_at = before.map_or_else(wall_clock, |metadata| metadata.touched_at);
        let metadata = checkpoint.map(|checkpoint| Metadata { checkpoint, touched_at, schema_ids });
        self.commit(batch, &mut tenure, metadata)
    }

    fn checkpoint(&self) -> Option<Checkpoint> {
        let tenure = self.tenure.lock().unwrap_or_else(PoisonError::into_inner);
        tenure.metadata.as_ref().map(|metadata| metadata.checkpoint)
    }

    fn clear(&self) -> Result<(), StoreError> {
        let mut tenure = self.tenure()?;
        self.empty()?;
        tenure.metadata = None;
        Ok(())
    }

    fn touch(&self) -> Result<(), StoreError> {
        let mut tenure = self.tenure()?;
        let metadata = tenure.metadata.clone().map(|metadata| Metadata { touched_at: wall_clock(), ..metadata });
        self.commit(self.database.fjall.batch(), &mut tenure, metadata)
    }

    fn schema_ids(&self) -> Vec<SchemaId> {
        let tenure = self.tenure.lock().unwrap_or_else(PoisonError::into_inner);
        tenure.metadata.iter().flat_map(|metadata| metadata.schema_ids.iter().copied()).collect()
    }
}

impl DiskStore {
    /// Shows entries, those of one moment.
    fn show<'k>(&self, keys: impl RangeBounds<&'k [u8]>, visit: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        for entry in self.database.fjall.snapshot().range(&self.keyspace, keys) {
            let (key, value) = entry.into_inner().map_err(|error| self.failed(error))?;
            let key = if &*key == EMPTY_KEY { Ok("") } else { std::str::from_utf8(&key) };
            let key = key.map_err(|error| self.failed(LsmError::Utf8(error).into()))?;
            visit(key, &value);
        }
        Ok(())
    }

    /// Writes the batch, and with it what the share says about itself from now on.
    fn commit(
        &self,
        mut batch: OwnedWriteBatch,
        tenure: &mut Tenure,
        metadata: Option<Metadata>,
    ) -> Result<(), StoreError> {
        if let Some(metadata) = &metadata {
            batch.insert(&self.keyspace, METADATA, metadata.encode(&self.identity));
        }
        batch.commit().map_err(|error| self.failed(error))?;
        tenure.metadata = metadata;
        Ok(())
    }

    /// What the share says about itself, nothing if it is empty, or why what is there is of no use.
    fn find(&self, now: Timestamp) -> Result<Result<Option<Metadata>, String>, StoreError> {
        let encoded = self.keyspace.get(METADATA).map_err(|error| self.failed(error))?;
        Ok(match encoded {
            Some(encoded) => Metadata::decode(&encoded, &self.identity, now).map(Some),
            None if self.keyspace.is_empty().map_err(|error| self.failed(error))? => Ok(None),
            None => Err("it does not say how much of the changelog it holds".to_string()),
        })
    }

    /// Removes everything, as one step in the journal.
    fn empty(&self) -> Result<(), StoreError> {
        self.keyspace.clear().map_err(|error| self.failed(error))
    }

    /// The right to write, until the guard is dropped.
    fn tenure(&self) -> Result<MutexGuard<'_, Tenure>, StoreError> {
        let tenure = self.tenure.lock().unwrap_or_else(PoisonError::into_inner);
        if tenure.number == self.number {
            Ok(tenure)
        } else {
            Err(StoreError::Superseded(self.keyspace.name().to_string()))
        }
    }

    fn failed(&self, error: fjall::Error) -> StoreError {
        self.database.failed(error)
    }
}

/// The key as fjall takes it; none if it is too long to be there.
fn stored(key: &str) -> Option<&[u8]> {
    match key.len() {
        0 => Some(EMPTY_KEY),
        length if length <= MAX_KEY_BYTES => Some(key.as_bytes()),
        _ => None,
    }
}

impl fmt::Debug for StateDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateDirectory").field("shares", &self.shares).finish_non_exhaustive()
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore").field("share", &self.keyspace.name()).finish_non_exhaustive()
    }
}
