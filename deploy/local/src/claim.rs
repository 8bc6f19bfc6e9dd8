use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The right to be the one demo at its place: a locked file with the id of its process.
///
/// The lock ends with the process, whatever its end, so that the id in a locked file is never that of a stranger.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    file: File,
}

impl Claim {
    pub(crate) fn take(path: &Path) -> anyhow::Result<Self> {
        loop {
            let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
            let mut file = open.with_context(|| format!("cannot write {}", path.display()))?;
            if !try_lock(&file)? {
                bail!("a demo is already running here (process {}): `make down` ends it", read_pid(&mut file)?);
            }
            // Whoever held it may have removed it before the lock was free.
            if is_at(path, &file) {
                file.set_len(0)?;
                write!(file, "{}", process::id())?;
                return Ok(Self { path: path.into(), file });
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if is_at(&self.path, &self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Who holds the claim; for those who do not.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) pid: i32,
    file: File,
}

impl Holder {
    pub(crate) fn find(path: &Path) -> anyhow::Result<Option<Self>> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.with_context(|| format!("cannot read {}", path.display()))?,
        };
        if try_lock(&file)? {
            return Ok(None);
        }
        Ok(Some(Self { pid: read_pid(&mut file)?, file }))
    }

    /// Waits until its process has ended; whether it has.
    pub(crate) fn wait_gone(&self, within: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + within;
        while !try_lock(&self.file)? {
            if Instant::now() > deadline {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(true)
    }
}

fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn read_pid(file: &mut File) -> anyhow::Result<i32> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    text.trim().parse().context("a demo is just being started")
}

fn is_at(path: &Path, file: &File) -> bool {
    let (Ok(there), Ok(here)) = (fs::metadata(path), file.metadata()) else { return false };
    (there.dev(), there.ino()) == (here.dev(), here.ino())
}
