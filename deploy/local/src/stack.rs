use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, thread};

use crate::addresses::Addresses;
use crate::binaries;
use crate::declared::{self, Declaration, PARTS};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::launch::{tail, wait};
use crate::part::Part;
use crate::ports;
use crate::progress::Progress;
use crate::setup::{self, Installation};
use crate::site::Site;
use crate::user::{User, reachable_by_all, set_mode};
use crate::watchdog::Watchdog;

/// A running stack. When it is dropped, everything is gone: processes, ports, data. So it is when its owner panics or
/// is killed.
#[derive(Debug)]
pub struct Stack {
    parts: Vec<Part>,
    site: Arc<Site>,
}

/// What to start, and how; made by [`Stack::builder`].
#[derive(Debug, Default)]
pub struct Builder {
    only: Option<Vec<String>>,
    also: Vec<String>,
    without: Vec<String>,
    without_services: Vec<String>,
    environment: Vec<(String, String, String)>,
    ports: Vec<(String, u16)>,
    demo_ports: bool,
    progress: Progress,
    interrupt: Interrupt,
    remove_at_end: Vec<PathBuf>,
    installation: Option<Installation>,
}

impl Builder {
    /// Only Kafka, the registry and PostgreSQL.
    #[must_use]
    pub fn infrastructure(self) -> Self {
        self.only(["kafka", "registry", "postgres"])
    }

    /// Only the parts of these names, and what they need.
    #[must_use]
    pub fn only<S: Into<String>>(mut self, parts: impl IntoIterator<Item = S>) -> Self {
        self.only = Some(parts.into_iter().map(Into::into).collect());
        self
    }

    /// Everything, but one instance of each service.
    #[must_use]
    pub fn single_instances(self) -> Self {
        self.only(usual_parts().filter(|part| !part.is_further_instance()).map(|part| part.name))
    }

    /// Also this part, and what it needs, beside those that were asked for otherwise.
    #[must_use]
    pub fn also(mut self, part: impl Into<String>) -> Self {
        self.also.push(part.into());
        self
    }

    /// Also the parts that look at the others: Prometheus, the OpenTelemetry Collector, the trace store. Services are told
    /// where traces go, and the broker tells its own figures.
    #[must_use]
    pub fn observed(mut self) -> Self {
        self.also.extend(PARTS.iter().filter(|part| part.observes).map(|part| part.name.to_string()));
        self
    }

    /// Leaves a part out for now: it has its ports, and those that need it go without, and [`Part::start`] starts it.
    #[must_use]
    pub fn without(mut self, part: impl Into<String>) -> Self {
        self.without.push(part.into());
        self
    }

    /// Leaves all instances of a service out in the same way.
    #[must_use]
    pub fn without_service(mut self, service: impl Into<String>) -> Self {
        self.without_services.push(service.into());
        self
    }

    /// Sets an environment variable for one part.
    #[must_use]
    pub fn env(mut self, part: &str, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((part.into(), name.into(), value.into()));
        self
    }

    /// Takes this port instead of a free one; 0 stands for a free one. Its name is that of the part; the admin port of a
    /// service is `<part>-admin`.
    #[must_use]
    pub fn port(mut self, name: impl Into<String>, port: u16) -> Self {
        self.ports.push((name.into(), port));
        self
    }

    /// Takes the ports of the demo, where [`port`](Self::port) does not say otherwise.
    #[must_use]
    pub fn demo_ports(mut self) -> Self {
        self.demo_ports = true;
        self
    }

    /// Tells on standard error what is being done.
    #[must_use]
    pub fn progress(mut self) -> Self {
        self.progress = Progress::shown();
        self
    }

    /// Gives up as soon as this is raised. It is raised by a start that fails, too.
    #[must_use]
    pub fn interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Has these files removed with the stack, whatever its end.
    #[must_use]
    pub fn remove_at_end(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        self.remove_at_end.extend(paths);
        self
    }

    /// Takes what is installed here instead of calling setup: for setup itself.
    pub(crate) fn installation(mut self, installation: Installation) -> Self {
        self.installation = Some(installation);
        self
    }

    /// Installs and builds what is missing, starts the parts, side by side as far as they do not need each other, and
    /// returns when all are ready.
    ///
    /// # Errors
    /// If a port is taken, something is missing on the machine, or a part does not become ready: then all are ended.
    pub fn start(self) -> Result<Stack> {
        let usual = || usual_parts().map(|part| part.name).collect();
        let asked: Vec<_> = self.only.as_ref().map_or_else(usual, |names| names.iter().map(String::as_str).collect());
        let parts = declared::with_needs(asked.into_iter().chain(self.also.iter().map(String::as_str)))?;
        let given_names = self.without.iter().chain(self.environment.iter().map(|(part, _, _)| part));
        for name in given_names {
            declared::find(name, &parts)?;
        }
        let fixed_ports = self.fixed_ports(&parts)?;
        let installation = match self.installation.clone() {
            Some(installation) => installation,
            None => setup::install(&self.interrupt)?,
        };
        let observers = setup::observers(parts.iter().map(|part| part.name), &self.interrupt)?;
        if parts.iter().any(|part| !part.is_infrastructure()) {
            binaries::build(&self.progress, &self.interrupt)?;
        }
        let stack = self.lay_out(parts, Installation { observers, ..installation }, fixed_ports)?;
        stack.describe_services()?;
        let started: Vec<&Part> = stack.parts.iter().filter(|part| !self.leaves_out(part, &stack.parts)).collect();
        start_all(&started, &self.progress, &self.interrupt)?;
        Ok(stack)
    }

    /// A step is left out with a part that it needs: it would ask in vain.
    fn leaves_out(&self, part: &Part, all: &[Part]) -> bool {
        let mut needs = all.iter().filter(|other| part.needs().contains(&other.name()));
        self.without.iter().any(|name| name == part.name())
            || self.without_services.iter().any(|service| part.service() == Some(service))
            || part.is_step() && needs.any(|need| self.leaves_out(need, all))
    }

    /// The ports that have to have a certain number, all of them free.
    fn fixed_ports(&self, parts: &[&Declaration]) -> Result<BTreeMap<String, u16>> {
        let known: BTreeMap<String, u16> = parts.iter().flat_map(|part| part.ports()).collect();
        let mut fixed = if self.demo_ports { known.clone() } else { BTreeMap::new() };
        for (name, port) in &self.ports {
            if !known.contains_key(name) {
                let known = known.into_keys().collect::<Vec<_>>().join(", ");
                return Err(Error::Unknown { kind: "port", name: name.clone(), known });
            }
            fixed.insert(name.clone(), *port);
        }
        fixed.retain(|_, port| *port != 0);
        match fixed.iter().find(|(_, port)| !ports::is_free(**port)) {
            Some((part, port)) => Err(Error::PortTaken { port: *port, part: part.clone() }),
            None => Ok(fixed),
        }
    }

    /// Everything but the processes.
    fn lay_out(
        &self,
        parts: Vec<&'static Declaration>,
        installation: Installation,
        fixed_ports: BTreeMap<String, u16>,
    ) -> Result<Stack> {
        let user = User::for_postgres()?;
        let binaries = binaries::directory()?;
        let directory = own_directory(user)?;
        let removed = self.remove_at_end.iter().cloned().chain([directory.clone()]);
        let watchdog = Watchdog::start(removed).map_err(Error::io("start the watchdog"))?;
        let site = Site {
            installation,
            binaries,
            directory,
            user,
            environment: self.environment.clone(),
            interrupt: self.interrupt.clone(),
            watchdog: Arc::new(watchdog),
            parts,
            fixed_ports: fixed_ports.keys().cloned().collect::<BTreeSet<_>>(),
            ports: Mutex::new(fixed_ports),
        };
        for part in &site.parts {
            site.renew_ports(part)?;
        }
        let site = Arc::new(site);
        let parts = site.parts.iter().map(|part| Part::new(part, Arc::clone(&site))).collect();
        Ok(Stack { parts, site })
    }
}

impl Stack {
    /// All parts on free ports, in silence, unless said otherwise.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A part by its name.
    ///
    /// # Panics
    /// If the stack has no part of that name.
    pub fn part(&self, name: &str) -> &Part {
        self.parts.iter().find(|part| part.name() == name).unwrap_or_else(|| {
            let known: Vec<&str> = self.parts.iter().map(Part::name).collect();
            panic!("this stack has no part named {name}; it has {}", known.join(", "))
        })
    }

    /// All parts in the order of the declaration.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Where they are reached.
    pub fn addresses(&self) -> Addresses {
        self.site.addresses()
    }

    /// The directory of all they write.
    pub fn directory(&self) -> &Path {
        &self.site.directory
    }

    /// Ends the parts one by one, last started first, each in its own way; what does not end in time is killed.
    pub fn stop(self) {
        for part in self.parts.iter().rev() {
            part.stop();
        }
    }

    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    /// Has every service say what it needs, which the steps read.
    fn describe_services(&self) -> Result<()> {
        for service in self.site.services() {
            let path = self.site.description(service);
            let log = self.site.log(&format!("{service}-describe"));
            let mut describe = Command::new(self.site.binary(service));
            describe.arg("describe").stdin(Stdio::null());
            describe.stdout(File::create(&path).map_err(Error::path("write", &path))?);
            describe.stderr(File::create(&log).map_err(Error::path("write", &log))?);
            if let Some(why) = wait(describe, &self.site.interrupt)? {
                return Err(Error::Command { command: format!("{service} describe"), why, log: tail(&log, 30) });
            }
        }
        Ok(())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        for part in self.parts.iter().rev() {
            part.discard();
        }
    }
}

/// Starts each part as soon as those it needs are ready. The first failure is the outcome.
fn start_all(parts: &[&Part], progress: &Progress, interrupt: &Interrupt) -> Result<()> {
    let ready: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    thread::scope(|scope| {
        for part in parts {
            scope.spawn(|| match start_after_needs(part, parts, &ready, interrupt) {
                Ok(within) => {
                    progress.part(part.name(), within);
                    ready.lock().unwrap_or_else(PoisonError::into_inner).push(part.name());
                }
                Err(error) => {
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    interrupt.raise();
                }
            });
        }
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Needs that are not to be started are not waited for. Returns how long the part itself took.
fn start_after_needs(
    part: &Part,
    parts: &[&Part],
    ready: &Mutex<Vec<&str>>,
    interrupt: &Interrupt,
) -> Result<Duration> {
    let needs: Vec<&str> = parts.iter().map(|part| part.name()).filter(|name| part.needs().contains(name)).collect();
    let all_ready = || {
        let ready = ready.lock().unwrap_or_else(PoisonError::into_inner);
        needs.iter().all(|need| ready.contains(need))
    };
    while !all_ready() {
        interrupt.pause(Duration::from_millis(5))?;
    }
    let started = Instant::now();
    part.start().map(|()| started.elapsed())
}

/// Those that are there if nobody says otherwise.
fn usual_parts() -> impl Iterator<Item = &'static Declaration> {
    PARTS.iter().filter(|part| !part.observes)
}

/// A new directory under the temporary one, or under `/tmp` where other accounts have no way into that.
fn own_directory(user: Option<User>) -> Result<PathBuf> {
    let usual = env::temp_dir();
    let parent = if user.is_none() || reachable_by_all(&usual) { usual } else { "/tmp".into() };
    let directory = tempfile::Builder::new().prefix("millrace-").tempdir_in(&parent);
    let directory = directory.map_err(Error::path("create a directory in", &parent))?.keep();
    set_mode(&directory, 0o711)?;
    Ok(directory)
}
