use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::Uid;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::launch::run;
use crate::progress::Progress;

/// A program of the machine that the stack, or getting at it, cannot do without.
#[derive(Debug)]
pub(super) struct Program {
    name: &'static str,
    command: &'static str,
    /// The Debian and Ubuntu packages that bring it; the first that the release has is installed.
    packages: &'static [&'static str],
}

pub(super) const JAVA: Program = Program {
    name: "Java 17 or newer",
    command: "java",
    packages: &["openjdk-17-jre-headless", "openjdk-21-jre-headless", "openjdk-25-jre-headless"],
};

/// What it takes to fetch and to unpack the infrastructure.
pub(super) const TO_FETCH: [Program; 3] = [
    Program { name: "Maven", command: "mvn", packages: &["maven"] },
    Program { name: "tar", command: "tar", packages: &["tar"] },
    Program { name: "xz", command: "xz", packages: &["xz-utils"] },
];

/// What the page is tested with; the stack runs without.
pub(super) const BROWSER: [Program; 2] = [
    Program { name: "Chromium", command: "chromium", packages: &["chromium"] },
    Program { name: "its driver", command: "chromedriver", packages: &["chromium-driver", "chromium-chromedriver"] },
];

/// What looks at the figures of all the others.
pub(super) const PROMETHEUS: Program = Program { name: "Prometheus", command: "prometheus", packages: &["prometheus"] };

/// It comes with Prometheus.
pub(super) const PROMTOOL: Program = Program { name: "promtool", command: "promtool", packages: &["prometheus"] };

/// What the trace store is built with.
pub(super) const GO: Program = Program { name: "Go", command: "go", packages: &["golang-go"] };

impl Program {
    pub(super) fn is_on_path(&self) -> bool {
        self.on_path().is_some()
    }

    /// Where on the search path it is.
    pub(super) fn on_path(&self) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path).map(|directory| directory.join(self.command)).find(|program| is_executable(program))
    }

    /// The first of its packages that apt has heard of.
    fn package(&self) -> &'static str {
        let known = |package: &&&str| {
            let mut show = Command::new("apt-cache");
            show.args(["show", package]).stdout(Stdio::null()).stderr(Stdio::null());
            show.status().is_ok_and(|status| status.success())
        };
        self.packages.iter().find(known).unwrap_or(&self.packages[0])
    }
}

/// Installs programs with apt where that is possible: as root, on Debian and its kin.
///
/// # Errors
/// Where it is not, with what to type.
pub(super) fn install(programs: &[&Program], cache: &Path, progress: &Progress, interrupt: &Interrupt) -> Result<()> {
    if !Uid::effective().is_root() || !APT.is_on_path() {
        return Err(missing(programs));
    }
    progress.say(&format!("installing {} with apt-get", names(programs)));
    fs::create_dir_all(cache).map_err(Error::path("create", cache))?;
    let log = cache.join("apt.log");
    run(apt(&["update"]), &log, interrupt)?;
    let packages: Vec<&str> = programs.iter().map(|program| program.package()).collect();
    run(apt(&[&["install", "--yes", "--no-install-recommends"], &packages[..]].concat()), &log, interrupt)
}

/// Unpacks the package of a program into a directory, where that is possible: on Debian and its kin, as root or with lists
/// of packages that are there.
///
/// # Errors
/// Where it is not, with what to type.
pub(super) fn unpack(program: &Program, directory: &Path, cache: &Path, interrupt: &Interrupt) -> Result<()> {
    if !APT.is_on_path() {
        return Err(missing(&[program]));
    }
    let log = cache.join("apt.log");
    if Uid::effective().is_root() {
        run(apt(&["update"]), &log, interrupt)?;
    }
    let mut download = apt(&["download", program.package()]);
    download.current_dir(directory);
    run(download, &log, interrupt)?;
    let archives = fs::read_dir(directory).map_err(Error::path("read", directory))?;
    for archive in archives.flatten().map(|entry| entry.path()) {
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("--extract").arg(&archive).arg(directory);
        run(unpack, &log, interrupt)?;
        fs::remove_file(&archive).map_err(Error::path("remove", &archive))?;
    }
    Ok(())
}

const APT: Program = Program { name: "apt", command: "apt-get", packages: &["apt"] };

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new(APT.command);
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// One sentence that names the programs and the remedy.
pub(super) fn missing(programs: &[&Program]) -> Error {
    let packages = programs.iter().map(|program| program.package()).collect::<Vec<_>>().join(" ");
    let sudo = if Uid::effective().is_root() { "" } else { "sudo " };
    let remedy = if Path::new("/etc/debian_version").exists() {
        format!("`{sudo}apt-get install {packages}` installs what is needed")
    } else {
        format!("install what Debian has in the packages {packages} with the package manager of this system")
    };
    let verb = if programs.len() == 1 { "is" } else { "are" };
    Error::ProgramsMissing { programs: format!("{} {verb}", names(programs)), remedy }
}

fn names(programs: &[&Program]) -> String {
    let names: Vec<&str> = programs.iter().map(|program| program.name).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
