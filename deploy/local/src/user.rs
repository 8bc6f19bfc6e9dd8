use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use nix::unistd::{Uid, User as Account};

use crate::error::{Error, Result};

/// Somebody other than root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl User {
    /// Whom PostgreSQL runs as, which refuses root; nobody in particular unless this process is root.
    ///
    /// It has to be an account: `initdb` looks its name up.
    pub(crate) fn for_postgres() -> Result<Option<Self>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let account =
            Account::from_name("nobody").map_err(|errno| Error::io("look up the account nobody")(errno.into()))?;
        let Some(account) = account else {
            return Err(Error::Command {
                command: "PostgreSQL".into(),
                why: "it refuses to run as root, and there is no account `nobody` to run it as".into(),
                log: String::new(),
            });
        };
        Ok(Some(Self { uid: account.uid.as_raw(), gid: account.gid.as_raw() }))
    }
}

/// Whether any account can get at what lies in a directory: one above it may be closed, as home directories are.
pub(crate) fn reachable_by_all(directory: &Path) -> bool {
    const SEARCH_BY_OTHERS: u32 = 0o001;
    directory.ancestors().all(|ancestor| {
        fs::metadata(ancestor).is_ok_and(|metadata| metadata.permissions().mode() & SEARCH_BY_OTHERS != 0)
    })
}

/// Copies a directory so that its owner may change everything and others may read it, and gives it to `owner`.
pub(crate) fn copy_tree(from: &Path, to: &Path, owner: Option<User>) -> Result<()> {
    fs::create_dir_all(to).map_err(Error::path("create", to))?;
    for entry in fs::read_dir(from).map_err(Error::path("read", from))? {
        let entry = entry.map_err(Error::path("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(Error::path("read", &source))?;
        if kind.is_dir() {
            copy_tree(&source, &target, owner)?;
        } else if kind.is_symlink() {
            let points_at = fs::read_link(&source).map_err(Error::path("read", &source))?;
            std::os::unix::fs::symlink(points_at, &target).map_err(Error::path("create", &target))?;
        } else {
            fs::copy(&source, &target).map_err(Error::io(format!("copy {}", source.display())))?;
            set_mode(&target, if is_executable(&source) { 0o755 } else { 0o644 })?;
            give(&target, owner)?;
        }
    }
    set_mode(to, 0o755)?;
    give(to, owner)
}

/// A new directory that belongs to `owner` alone.
pub(crate) fn private_directory(path: &Path, owner: Option<User>) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::path("create", path))?;
    set_mode(path, 0o700)?;
    give(path, owner)
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::path("set the mode of", path))
}

fn give(path: &Path, owner: Option<User>) -> Result<()> {
    match owner {
        Some(user) => chown(path, Some(user.uid), Some(user.gid)).map_err(Error::path("set the owner of", path)),
        None => Ok(()),
    }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}
