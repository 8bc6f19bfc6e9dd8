use std::io;
use std::path::PathBuf;

/// Why the stack, or the preparation for it, did not come up. Each reads as a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Programs are missing that could not be installed from here.
    #[error("{programs} missing on this machine: {remedy}")]
    ProgramsMissing {
        /// What is missing, with its verb: `Java 17 or newer and Maven are`.
        programs: String,
        /// What to type.
        remedy: String,
    },
    /// There are no PostgreSQL binaries for this kind of machine.
    #[error("PostgreSQL comes ready-made for Linux and macOS on x86-64 and arm64, not for {0}")]
    UnknownPlatform(String),
    /// Somebody else listens on a port that was asked for.
    #[error(
        "port {port} is taken, and {part} needs it: stop what listens there (`ss -ltnp 'sport = :{port}'` names it), \
         or choose another with `--port {part}=PORT` or MILLRACE_PORTS={part}=PORT"
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// The part, or the port's own name where a part has several.
        part: String,
    },
    /// A part ended, or did not become ready in time.
    #[error("{part} {why}{}", log_section(log))]
    Part {
        /// Name of the part.
        part: String,
        /// What happened, as a predicate: `ended with exit status: 1 before it was ready`.
        why: String,
        /// The end of its log.
        log: String,
    },
    /// A command that prepares something failed.
    #[error("{command} failed: {why}{}", log_section(log))]
    Command {
        /// What it was to do, or its name.
        command: String,
        /// How it ended.
        why: String,
        /// The end of what it said.
        log: String,
    },
    /// There is no part, or no port, of that name.
    #[error("there is no {kind} named {name}; there are {known}")]
    Unknown {
        /// `part` or `port`.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// All there are.
        known: String,
    },
    /// Ctrl-C or SIGTERM arrived before the stack was up.
    #[error("interrupted")]
    Interrupted,
    /// The operating system refused something.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was attempted.
        doing: String,
        /// The refusal.
        source: io::Error,
    },
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Says what was attempted when `source` happened; for `map_err`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }

    /// The same for something done to a file.
    pub(crate) fn path(verb: &str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("{verb} {}", path.into().display()))
    }
}

fn log_section(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!("\n--- the end of its log ---\n{log}\n---") }
}
