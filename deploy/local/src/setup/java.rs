use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The oldest version that Kafka and the registry run on.
pub(super) const OLDEST: u32 = 17;

/// A Java runtime that is new enough.
#[derive(Debug)]
pub(super) struct Java {
    pub(super) home: PathBuf,
    pub(super) program: PathBuf,
    /// In full: a class archive serves only the very runtime that recorded it.
    pub(super) version: String,
}

/// The first one that is new enough: of `JAVA_HOME`, of the search path, of the places where systems install them.
pub(super) fn find() -> Option<Java> {
    let named = env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|directory| directory.join("java"));
    let installed = ["/usr/lib/jvm", "/Library/Java/JavaVirtualMachines"].into_iter().flat_map(homes_below);
    named.into_iter().chain(on_path).chain(installed).find_map(|program| new_enough(&program))
}

fn homes_below(directory: &str) -> Vec<PathBuf> {
    let mut homes: Vec<PathBuf> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    homes.sort();
    homes.iter().flat_map(|home| [home.join("bin/java"), home.join("Contents/Home/bin/java")]).collect()
}

fn new_enough(program: &Path) -> Option<Java> {
    let program = program.canonicalize().ok()?;
    let home = program.parent()?.parent()?.to_path_buf();
    let version = released_version(&home).or_else(|| told_version(&program))?;
    (major(&version)? >= OLDEST).then_some(Java { home, program, version })
}

/// Every runtime since 9 carries a file that says what it is, which spares starting it.
fn released_version(home: &Path) -> Option<String> {
    let release = fs::read_to_string(home.join("release")).ok()?;
    let version = release.lines().find_map(|line| line.strip_prefix("JAVA_RUNTIME_VERSION="))?;
    Some(version.trim_matches('"').to_string())
}

/// From `openjdk version "17.0.15" 2025-04-15`.
fn told_version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("-version").output().ok()?;
    String::from_utf8_lossy(&output.stderr).split('"').nth(1).map(str::to_string)
}

/// 17 of `17.0.15+6`; versions before 9 are called `1.8.0`, and too old whatever the second number.
fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
