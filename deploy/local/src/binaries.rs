//! Our own programs: where cargo puts them, and that they are up to date.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::launch::wait;
use crate::progress::Progress;

/// Names the directory of our programs; then they are taken as they are.
const DIRECTORY: &str = "MILLRACE_BIN";

/// Set, to anything, where somebody has just built the workspace.
const BUILT: &str = "MILLRACE_BUILT";

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.unwrap_or(Path::new(".")).to_path_buf()
}

/// Where our programs are: beside the running one, be it a program or a test.
pub(crate) fn directory() -> Result<PathBuf> {
    if let Some(directory) = env::var_os(DIRECTORY) {
        return Ok(directory.into());
    }
    let running = env::current_exe().map_err(Error::io("find the running program"))?;
    let beside = running.ancestors().skip(1).find(|directory| !directory.ends_with("deps"));
    Ok(beside.unwrap_or(Path::new(".")).to_path_buf())
}

/// Where one of our programs is; whether it is up to date is up to whoever built it.
///
/// # Errors
/// If the running program cannot be found, beside which the others are.
pub fn program(name: &str) -> Result<PathBuf> {
    Ok(directory()?.join(name))
}

/// Has cargo build them, all at once so that it builds no dependency twice with different features.
pub(crate) fn build(progress: &Progress, interrupt: &Interrupt) -> Result<()> {
    if env::var_os(DIRECTORY).is_some() || env::var_os(BUILT).is_some() {
        return Ok(());
    }
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--workspace", "--bins"]).current_dir(workspace());
    if directory()?.ends_with("release") {
        cargo.arg("--release");
    }
    if !progress.is_shown() {
        cargo.arg("--quiet");
    }
    match wait(cargo, interrupt)? {
        None => Ok(()),
        Some(why) => Err(Error::Command { command: "cargo build".into(), why, log: String::new() }),
    }
}
