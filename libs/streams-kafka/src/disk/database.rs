use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::panic;
use std::path::{Path, PathBuf};

use fjall::{Error, LsmError};
use streams::StoreError;

/// A folder that nobody else reads or writes.
pub(super) struct Locked {
    path: PathBuf,
    _lock: File,
}

/// An open database in a folder that is locked for as long as anybody reads or writes there.
pub(super) struct Database {
    // Fields are dropped in their order: the database is closed before the lock is given up.
    pub(super) fjall: fjall::Database,
    folder: Locked,
}

/// Why a database cannot be used.
enum Failure {
    /// What is on disk makes no sense. It is the changelog's anyway: without it, it is restored.
    Damage(String),
    /// The disk is full, a permission is missing and the like: nothing that throwing state away would mend.
    Other(String),
}

/// Blocks of all shares that were read lately. The system's page cache has the rest.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// The least that fjall takes. The journal is read again at the next start.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
/// With a second one, fjall has one spin for as long as the other compacts.
const WORKER_THREADS: usize = 1;

impl Locked {
    /// Locks the folder, and creates it if it is not there.
    pub(super) fn new(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: io::Error| StoreError::new(format!("{}: {error}", path.display()));
        fs::create_dir_all(path).map_err(failed)?;
        let lock = File::create(path.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::new(format!("{} is in use by another process", path.display())),
            TryLockError::Error(error) => failed(error),
        })?;
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }
}

impl Database {
    /// Opens what is in the folder. If it is damaged, it is replaced by an empty database.
    pub(super) fn open(folder: Locked) -> Result<Self, StoreError> {
        let path = &folder.path;
        let (files, note) = (path.join("database"), damage_note(path));
        let opened = match fs::read_to_string(&note) {
            Ok(damage) => Err(Failure::Damage(damage)),
            Err(_) => open_fjall(&files),
        };
        let fjall = match opened {
            Ok(fjall) => fjall,
            Err(Failure::Damage(damage)) => {
                tracing::warn!("local state in {} is damaged, and thrown away: {damage}", path.display());
                remove(fs::remove_dir_all(&files))
                    .and_then(|()| remove(fs::remove_file(&note)))
                    .map_err(|error| StoreError::new(format!("{}: {error}", path.display())))?;
                open_fjall(&files).map_err(|failure| failure.at(path))?
            }
            Err(failure) => return Err(failure.at(path)),
        };
        Ok(Self { fjall, folder })
    }

    /// The error of the open database. Damage that shows only now is noted for the next start, which throws it away.
    pub(super) fn failed(&self, error: Error) -> StoreError {
        let failure = Failure::from(error);
        if let Failure::Damage(damage) = &failure
            && let Err(error) = fs::write(damage_note(&self.folder.path), damage)
        {
            tracing::warn!("the damage in {} cannot be noted: {error}", self.folder.path.display());
        }
        failure.at(&self.folder.path)
    }
}

impl Failure {
    fn at(self, path: &Path) -> StoreError {
        let (Self::Damage(what) | Self::Other(what)) = self;
        StoreError::new(format!("{}: {what}", path.display()))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let is_damage = match &error {
            Error::Io(error) | Error::Storage(LsmError::Io(error)) => {
                matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
            }
            Error::Locked | Error::Poisoned | Error::KeyspaceDeleted => false,
            _ => true,
        };
        if is_damage { Self::Damage(error.to_string()) } else { Self::Other(error.to_string()) }
    }
}

fn open_fjall(folder: &Path) -> Result<fjall::Database, Failure> {
    let builder = || {
        fjall::Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKER_THREADS)
            .open()
    };
    // Some damage makes fjall panic rather than fail.
    let opened = panic::catch_unwind(builder);
    opened.map_err(|_| Failure::Damage("opening it panicked".to_string()))?.map_err(Failure::from)
}

fn damage_note(path: &Path) -> PathBuf {
    path.join("damaged")
}

/// What is gone already is removed.
fn remove(outcome: io::Result<()>) -> io::Result<()> {
    outcome.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}
