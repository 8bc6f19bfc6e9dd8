mod browser;
mod java;
mod observers;
mod prepare;
mod programs;

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

use crate::binaries;
use crate::error::{Error, Result};
use crate::infrastructure::postgres;
use crate::interrupt::Interrupt;
use crate::launch::run;
use crate::progress::Progress;
use crate::user::set_mode;
pub use browser::{Browser, browser};
use java::Java;
pub use observers::promtool;
pub(crate) use observers::{Observers, observers};

/// The versions of everything, and how Maven is to fetch it.
const POM: &str = include_str!("../pom.xml");

/// What the infrastructure is started from. Everything in it is only read.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    pub(crate) java: PathBuf,
    /// `kafka`, `registry`, `postgres` and `mailbox`, as they come from Maven.
    pub(crate) fetched: PathBuf,
    /// Data directories and class archives to start from; none while these are made.
    pub(crate) prepared: Option<PathBuf>,
    /// What looks at it, where that was asked for.
    pub(crate) observers: Observers,
}

/// Installs what the stack needs, unless it is there: programs of the machine, Kafka, the registry, PostgreSQL,
/// the mailbox.
///
/// # Errors
/// If something is missing that cannot be installed from here, with the command that installs it.
pub fn setup(interrupt: &Interrupt) -> Result<()> {
    install(interrupt).map(drop)
}

/// What is there has a name that says what is in it, and gets that name only when it is whole, so that a look at two names
/// tells whether there is anything to do. What takes long is told even where nobody asked for progress: it happens once.
pub(crate) fn install(interrupt: &Interrupt) -> Result<Installation> {
    let progress = &Progress::shown();
    let platform = platform()?;
    let cache = cache();
    let fetched = cache.join(format!("fetched-{:016x}", fingerprint(&[POM, platform])));
    let java = provide_programs(&cache, &fetched, progress, interrupt)?;
    let databases = postgres::DATABASES_OF_SERVICES.join(" ");
    let preparation = fingerprint(&[POM, platform, &java.version, prepare::SOURCE, &databases]);
    let prepared = cache.join(format!("prepared-{preparation:016x}"));
    if !fetched.exists() || !prepared.exists() {
        let _lock = lock(&cache, progress)?;
        if !fetched.exists() {
            progress.say("fetching Kafka, the schema registry, PostgreSQL and the mailbox with Maven (180 MB, once)");
            make_whole(&cache, &fetched, |directory| fetch(&cache, &java, platform, directory, interrupt))?;
        }
        if !prepared.exists() {
            let raw = Installation {
                java: java.program.clone(),
                fetched: fetched.clone(),
                prepared: None,
                observers: Observers::default(),
            };
            progress.say("starting them once to record what later starts need (half a minute, once)");
            make_whole(&cache, &prepared, |directory| prepare::prepare(raw, directory, interrupt))?;
        }
    }
    Ok(Installation { java: java.program, fetched, prepared: Some(prepared), observers: Observers::default() })
}

/// Java, and if there is something to fetch the programs for that.
fn provide_programs(cache: &Path, fetched: &Path, progress: &Progress, interrupt: &Interrupt) -> Result<Java> {
    let found = java::find();
    let to_fetch = programs::TO_FETCH.iter().filter(|program| !fetched.exists() && !program.is_on_path());
    let missing: Vec<_> = found.is_none().then_some(&programs::JAVA).into_iter().chain(to_fetch).collect();
    if !missing.is_empty() {
        programs::install(&missing, cache, progress, interrupt)?;
    }
    found.or_else(java::find).ok_or_else(|| programs::missing(&[&programs::JAVA]))
}

/// `target/stack`, or what `MILLRACE_CACHE` names.
fn cache() -> PathBuf {
    let named = env::var_os("MILLRACE_CACHE").map(PathBuf::from);
    named.unwrap_or_else(|| binaries::workspace().join("target/stack"))
}

/// As the artifacts of PostgreSQL are named.
fn platform() -> Result<&'static str> {
    match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => Ok("linux-amd64"),
        ("linux", "aarch64") => Ok("linux-arm64v8"),
        ("macos", "x86_64") => Ok("darwin-amd64"),
        ("macos", "aarch64") => Ok("darwin-arm64v8"),
        (os, architecture) => Err(Error::UnknownPlatform(format!("{os} on {architecture}"))),
    }
}

fn fingerprint(texts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}

/// Held by whoever changes the cache, until its process ends. What others left unfinished is removed.
fn lock(cache: &Path, progress: &Progress) -> Result<File> {
    fs::create_dir_all(cache).map_err(Error::path("create", cache))?;
    let path = cache.join("lock");
    let lock = File::create(&path).map_err(Error::path("write", &path))?;
    if lock.try_lock().is_err() {
        progress.say("waiting for another setup to end");
        lock.lock().map_err(Error::path("lock", &path))?;
    }
    for entry in fs::read_dir(cache).map_err(Error::path("read", cache))? {
        let entry = entry.map_err(Error::path("read", cache))?;
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            fs::remove_dir_all(entry.path()).map_err(Error::path("remove", entry.path()))?;
        }
    }
    Ok(lock)
}

const PARTIAL: &str = "partial-";

/// Lets `fill` work in a new directory, and gives it its name when it is done.
fn make_whole(cache: &Path, whole: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let partial = tempfile::Builder::new().prefix(PARTIAL).tempdir_in(cache);
    let partial = partial.map_err(Error::path("create a directory in", cache))?;
    fill(partial.path())?;
    set_mode(partial.path(), 0o755)?;
    fs::rename(partial.keep(), whole).map_err(Error::path("create", whole))
}

fn fetch(cache: &Path, java: &Java, platform: &str, directory: &Path, interrupt: &Interrupt) -> Result<()> {
    let pom = directory.join("pom.xml");
    fs::write(&pom, POM).map_err(Error::path("write", &pom))?;
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--no-transfer-progress", "--strict-checksums", "generate-resources", "--file"]);
    maven.arg(&pom).arg(format!("-Dout={}", directory.display())).arg(format!("-Dpostgres.platform={platform}"));
    maven.env("JAVA_HOME", &java.home).env("MAVEN_OPTS", "-XX:-UsePerfData");
    run(maven, &cache.join("maven.log"), interrupt)?;
    unpack_postgres(&directory.join("postgres"), &cache.join("tar.log"), interrupt)
}

/// Maven has unpacked the jar, which holds an archive of another kind.
fn unpack_postgres(directory: &Path, log: &Path, interrupt: &Interrupt) -> Result<()> {
    let entries = fs::read_dir(directory).map_err(Error::path("read", directory))?;
    let archive =
        entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|it| it == "txz"));
    let archive =
        archive.ok_or_else(|| Error::path("find an archive in", directory)(io::ErrorKind::NotFound.into()))?;
    let mut tar = Command::new("tar");
    tar.arg("-xJf").arg(&archive).arg("-C").arg(directory);
    run(tar, log, interrupt)?;
    fs::remove_file(&archive).map_err(Error::path("remove", &archive))
}
