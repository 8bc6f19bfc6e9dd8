use std::path::{Path, PathBuf};
use std::process::Command;

use super::programs;
use super::{cache, lock, make_whole};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::launch::run;
use crate::progress::Progress;
use crate::user::copy_tree;

/// What looks at a stack is started from, as far as the stack has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observers {
    prometheus: Option<Prometheus>,
    jaeger: Option<PathBuf>,
}

/// Prometheus, and the program that checks its files.
#[derive(Clone, Debug)]
pub(crate) struct Prometheus {
    pub(crate) server: PathBuf,
    pub(crate) promtool: PathBuf,
}

const JAEGER: &str = "github.com/jaegertracing/jaeger";
const JAEGER_VERSION: &str = "v1.76.0";

/// Where Go is that is not on the search path: its own archive is unpacked there.
const GO_UNPACKED: &str = "/usr/local/go/bin/go";

impl Observers {
    pub(crate) fn prometheus(&self) -> Result<&Prometheus> {
        self.prometheus.as_ref().ok_or_else(|| programs::missing(&[&programs::PROMETHEUS]))
    }

    pub(crate) fn jaeger(&self) -> Result<&Path> {
        self.jaeger.as_deref().ok_or_else(go_is_missing)
    }
}

/// Installs what these parts are started from, unless it is there.
pub(crate) fn observers<'p>(parts: impl IntoIterator<Item = &'p str>, interrupt: &Interrupt) -> Result<Observers> {
    let mut observers = Observers::default();
    for part in parts {
        match part {
            "prometheus" => observers.prometheus = Some(prometheus(interrupt)?),
            "jaeger" => observers.jaeger = Some(jaeger(interrupt)?),
            _ => {}
        }
    }
    Ok(observers)
}

/// The program that checks the files of Prometheus, and tests its rules; installed if it is missing.
///
/// # Errors
/// If it is missing and cannot be installed from here, with the command that installs it.
pub fn promtool(interrupt: &Interrupt) -> Result<PathBuf> {
    prometheus(interrupt).map(|prometheus| prometheus.promtool)
}

/// That of the search path; else Debian's, unpacked into the cache instead of installed, which would start a server with
/// every boot. Its own pages then lack what the package puts elsewhere; questions and alerts have all they need.
fn prometheus(interrupt: &Interrupt) -> Result<Prometheus> {
    if let (Some(server), Some(promtool)) = (programs::PROMETHEUS.on_path(), programs::PROMTOOL.on_path()) {
        return Ok(Prometheus { server, promtool });
    }
    let cache = cache();
    let unpacked = cache.join("prometheus");
    if !unpacked.exists() {
        let progress = &Progress::shown();
        let _lock = lock(&cache, progress)?;
        if !unpacked.exists() {
            progress.say("fetching Prometheus with apt-get (40 MB, once)");
            make_whole(&cache, &unpacked, |directory| {
                programs::unpack(&programs::PROMETHEUS, directory, &cache, interrupt)
            })?;
        }
    }
    let program = |name| unpacked.join("usr/bin").join(name);
    Ok(Prometheus { server: program("prometheus"), promtool: program("promtool") })
}

/// Jaeger is built from its module, which the module proxy has; there is no package of it.
fn jaeger(interrupt: &Interrupt) -> Result<PathBuf> {
    let cache = cache();
    let built = cache.join(format!("jaeger-{JAEGER_VERSION}"));
    if !built.exists() {
        let go = go()?;
        let progress = &Progress::shown();
        let _lock = lock(&cache, progress)?;
        if !built.exists() {
            progress.say("building the trace store (Jaeger) with Go (some minutes, once)");
            make_whole(&cache, &built, |directory| build_jaeger(&go, directory, &cache, interrupt))?;
        }
    }
    Ok(built.join("jaeger"))
}

/// Built inside a copy of the module, since what it says of its own dependencies counts nowhere else.
fn build_jaeger(go: &Path, directory: &Path, cache: &Path, interrupt: &Interrupt) -> Result<()> {
    let log = cache.join("go.log");
    let mut download = Command::new(go);
    download.args(["mod", "download", &format!("{JAEGER}@{JAEGER_VERSION}")]).current_dir(directory);
    run(download, &log, interrupt)?;
    let modules = Command::new(go).args(["env", "GOMODCACHE"]).output().map_err(Error::io("run go"))?;
    let modules = PathBuf::from(String::from_utf8_lossy(&modules.stdout).trim());
    let source = directory.join("source");
    copy_tree(&modules.join(format!("{JAEGER}@{JAEGER_VERSION}")), &source, None)?;
    let mut build = Command::new(go);
    build.args(["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"]).arg(directory.join("jaeger"));
    build.arg("./cmd/jaeger").current_dir(&source).env("CGO_ENABLED", "0");
    run(build, &log, interrupt)?;
    std::fs::remove_dir_all(&source).map_err(Error::path("remove", &source))
}

fn go() -> Result<PathBuf> {
    let unpacked = || Some(PathBuf::from(GO_UNPACKED)).filter(|go| go.exists());
    programs::GO.on_path().or_else(unpacked).ok_or_else(go_is_missing)
}

/// Debian's packages of it are too old.
fn go_is_missing() -> Error {
    Error::ProgramsMissing {
        programs: "Go 1.24 or newer, which builds the trace store, is".into(),
        remedy: "install it as https://go.dev/doc/install says".into(),
    }
}
