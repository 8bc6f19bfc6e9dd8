use std::fmt::{self, Display};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::addresses::Addresses;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::site::Site;
use crate::user::User;

/// How a program is started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Whom it runs as, if not as the stack itself.
    pub(crate) user: Option<User>,
}

impl Launch {
    pub(crate) fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), environment: Vec::new(), user: None }
    }

    pub(crate) fn arguments<A: Display>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.to_string()));
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: impl Display) -> Self {
        self.environment.push((name.to_string(), value.to_string()));
        self
    }

    /// Where the infrastructure is reached, under the names all our programs know.
    pub(crate) fn connections(self, site: &Site) -> Self {
        self.addresses(&Addresses { services: Vec::new(), ..site.addresses() })
    }

    /// Where all of these are reached, the services too.
    pub(crate) fn addresses(self, addresses: &Addresses) -> Self {
        addresses.environment().into_iter().fold(self, |launch, (name, value)| launch.environment(&name, value))
    }

    pub(crate) fn user(mut self, user: Option<User>) -> Self {
        self.user = user;
        self
    }
}

/// The line to type in a shell.
impl Display for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(f, "{name}={value} ")?;
        }
        write!(f, "{}", self.program.display())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

/// Runs a command that prepares something to its end; what it says goes to `log` and into the error if it fails.
pub(crate) fn run(mut command: Command, log: &Path, interrupt: &Interrupt) -> Result<()> {
    let name = command_name(&command);
    let output = File::create(log).map_err(Error::path("write", log))?;
    let errors = output.try_clone().map_err(Error::path("write", log))?;
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    match wait(command, interrupt)? {
        None => Ok(()),
        Some(why) => Err(Error::Command { command: name, why, log: tail(log, 30) }),
    }
}

/// Runs a command to its end; how it ended, if it failed.
pub(crate) fn wait(mut command: Command, interrupt: &Interrupt) -> Result<Option<String>> {
    let doing = format!("run {}", command_name(&command));
    let mut child = command.spawn().map_err(Error::io(&doing))?;
    loop {
        if let Some(status) = child.try_wait().map_err(Error::io(&doing))? {
            return Ok((!status.success()).then(|| status.to_string()));
        }
        if let Err(interrupted) = interrupt.pause(Duration::from_millis(10)) {
            let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM);
            let _ = child.wait();
            return Err(interrupted);
        }
    }
}

fn command_name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// The last lines of a file, of its last 64 KiB; nothing if it cannot be read.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = end_of(path).unwrap_or_default();
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn end_of(path: &Path) -> io::Result<String> {
    const AT_MOST: u64 = 64 * 1024;
    let mut file = File::open(path)?;
    let length = fs::metadata(path)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(AT_MOST)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
