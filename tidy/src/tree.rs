use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::{fmt, fs, io};

use crate::manifest::Manifest;

/// The text of the repository: what git knows or would add, but not what it ignores.
#[derive(Debug, Default)]
pub struct Tree {
    files: Vec<File>,
    /// The declared topics, as `shared_schemas::topics()` tells them.
    pub topics: Vec<Topic>,
}

/// One text file.
#[derive(Debug)]
pub struct File {
    /// Path relative to the root, with `/` between the parts.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// What the rules need to know of a declared topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name on the broker.
    pub name: String,
    /// Who alone may write it.
    pub writer: String,
    /// Whether nobody but the writer may read it.
    pub private: bool,
}

/// Why the tree could not be read.
#[derive(Debug)]
pub enum TreeError {
    /// `git ls-files` could not be run.
    Git(io::Error),
    /// `git ls-files` failed: the folder is no git repository, or git does not trust its owner.
    NoRepository(String),
    /// A file that git lists could not be read.
    Unreadable(String, io::Error),
}

impl Tree {
    /// Reads the repository at `root`. Files that are not text are left out, as are files deleted but not yet committed.
    ///
    /// # Errors
    /// Git is missing, `root` is no repository, or a file cannot be read.
    pub fn read(root: &Path) -> Result<Self, TreeError> {
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(TreeError::Git)?;
        if !listing.status.success() {
            return Err(TreeError::NoRepository(String::from_utf8_lossy(&listing.stderr).trim().to_string()));
        }
        let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
        let mut files = Vec::new();
        for path in listing.split_terminator('\0').collect::<BTreeSet<_>>() {
            match fs::read(root.join(path)) {
                // A picture is there, and says nothing.
                Ok(bytes) => files.push(File { path: path.into(), text: String::from_utf8(bytes).unwrap_or_default() }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(TreeError::Unreadable(path.into(), error)),
            }
        }
        Ok(Self { files, topics: Vec::new() })
    }

    /// A tree made of samples, for the tests of the rules.
    #[cfg(test)]
    pub(crate) fn of<const N: usize>(files: [(&str, &str); N]) -> Self {
        let files = files.map(|(path, text)| File { path: path.into(), text: text.into() }).into();
        Self { files, topics: Vec::new() }
    }

    /// The same tree with these public topics, each with its writer.
    #[cfg(test)]
    pub(crate) fn with_topics<const N: usize>(mut self, topics: [(&str, &str); N]) -> Self {
        let topic = |(name, writer): (&str, &str)| Topic { name: name.into(), writer: writer.into(), private: false };
        self.topics = topics.map(topic).into();
        self
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn rust_files(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.path.ends_with(".rs"))
    }

    /// The manifests of all crates, without the root's.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = Manifest<'_>> {
        self.files().filter(|file| file.path.ends_with("/Cargo.toml")).filter_map(Manifest::parse)
    }

    /// The names of the folders under `services/` that hold a crate.
    pub(crate) fn services(&self) -> impl Iterator<Item = &str> {
        self.files().filter_map(|file| file.path.strip_prefix("services/")?.strip_suffix("/Cargo.toml"))
    }
}

impl File {
    /// Whether the file lies in `folder` or below.
    pub(crate) fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The service the file belongs to.
    pub(crate) fn service(&self) -> Option<&str> {
        self.path.strip_prefix("services/")?.split_once('/').map(|(service, _)| service)
    }

    /// Whether the whole file is test code: it lies in a `tests` folder, is the module `tests`, or belongs to `e2e`.
    pub(crate) fn is_test(&self) -> bool {
        self.is_in("e2e") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git(error) => write!(f, "git could not be run to list the files: {error}"),
            Self::NoRepository(answer) => write!(f, "git does not list the files: {answer}"),
            Self::Unreadable(path, error) => write!(f, "{path} could not be read: {error}"),
        }
    }
}

impl std::error::Error for TreeError {}
