use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::addresses::{ServiceAddress, postgres_url};
use crate::declared::{Declaration, Describe, Kind, Ready, admin};
use crate::error::{Error, Result};
use crate::infrastructure::{kafka, postgres};
use crate::launch::{Launch, tail};
use crate::page;
use crate::probe;
use crate::process::Process;
use crate::site::Site;

/// A part of a running stack: a program that can be started, killed, paused and started again on the same ports and the
/// same data.
#[derive(Debug)]
pub struct Part {
    declaration: &'static Declaration,
    site: Arc<Site>,
    process: Mutex<Option<Process>>,
}

/// How long a part may take to become ready, or a step to be done, unless said otherwise.
pub const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long a part that was asked to end may take before it is killed.
const END_WITHIN: Duration = Duration::from_secs(20);

/// How long PostgreSQL may take to tell its children, before all are killed.
const DISCARDED_WITHIN: Duration = Duration::from_secs(2);

const POLL_INTERVAL: Duration = Duration::from_millis(10);

impl Part {
    pub(crate) fn new(declaration: &'static Declaration, site: Arc<Site>) -> Self {
        Self { declaration, site, process: Mutex::new(None) }
    }

    /// Its name in the declaration.
    pub fn name(&self) -> &'static str {
        self.declaration.name
    }

    pub(crate) fn needs(&self) -> &'static [&'static str] {
        self.declaration.needs
    }

    /// Starts it, waits until it is ready (a step: done), and gives up after [`READY_WITHIN`].
    ///
    /// # Errors
    /// If it is running already, ends early, or is not ready in time; then with the end of its log.
    pub fn start(&self) -> Result<()> {
        const ATTEMPTS: usize = 5;
        let first_start = self.lock().is_none();
        for _ in 1..ATTEMPTS {
            match self.spawn().and_then(|()| self.wait_ready(READY_WITHIN)) {
                Err(error) if found_something_in_use(&error) => {}
                outcome => return outcome,
            }
            // Nobody has been told the ports yet but services that let a page call them, so that others will do. Later it must
            // be the same ones, which the system may not have given back yet.
            if first_start {
                self.site.renew_ports(self.declaration)?;
            }
            self.site.interrupt.pause(Duration::from_millis(200))?;
        }
        self.spawn()?;
        self.wait_ready(READY_WITHIN)
    }

    /// Starts it without waiting.
    ///
    /// # Errors
    /// If it is running already or cannot be started.
    pub fn spawn(&self) -> Result<()> {
        let mut process = self.lock();
        if process.as_mut().is_some_and(Process::is_running) {
            return Err(self.failure("is running already"));
        }
        let log = self.log_path();
        let open = || OpenOptions::new().create(true).append(true).open(&log).map_err(Error::path("write", &log));
        let doing = format!("start {}", self.name());
        let watchdog = Arc::clone(&self.site.watchdog);
        let mut command = watchdog.command(&self.launch()?, self.death_signal()).map_err(Error::io(&doing))?;
        command.current_dir(self.site.part_directory(self.name())?).stdout(open()?).stderr(open()?);
        *process = Some(Process::spawn(command, watchdog, self.death_signal()).map_err(Error::io(&doing))?);
        Ok(())
    }

    /// Waits until it is ready: answers its clients, a service its `/readyz`; a step is ready when it is done.
    ///
    /// # Errors
    /// If it ends before, or is not ready in time; with the end of its log.
    pub fn wait_ready(&self, within: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.exit_status() {
                return match self.declaration.kind {
                    Kind::Step { .. } if status.success() => Ok(()),
                    Kind::Step { .. } => Err(self.failure(format!("failed with {status}"))),
                    _ => Err(self.failure(format!("ended with {status} before it was ready"))),
                };
            }
            let Err(why) = self.probe() else { return Ok(()) };
            if started.elapsed() > within {
                return Err(self.failure(format!("was not ready within {} s: {why}", within.as_secs_f32())));
            }
            self.site.interrupt.pause(POLL_INTERVAL)?;
        }
    }

    /// Ends it with SIGKILL, and waits until it is gone. Without effect if it is not running.
    pub fn kill(&self) {
        if let Some(process) = self.lock().as_mut() {
            process.kill();
        }
    }

    /// Asks it to end, and kills it if it has not after 20 s. Without effect if it is not running.
    pub fn stop(&self) {
        // Of the ways to ask PostgreSQL, SIGINT is the one that does not wait for its clients.
        let signal = if self.name() == "postgres" { Signal::SIGINT } else { Signal::SIGTERM };
        if let Some(process) = self.lock().as_mut() {
            process.end(signal, END_WITHIN);
        }
    }

    /// Ends it in the shortest way that leaves nothing behind, its data being of no use any more.
    pub(crate) fn discard(&self) {
        if let Some(process) = self.lock().as_mut() {
            process.end(self.death_signal(), DISCARDED_WITHIN);
        }
    }

    /// Has an instance of a service give its partitions to the others for good (`POST /leave`), and waits until it has. It
    /// goes on answering requests until it is stopped.
    ///
    /// # Errors
    /// If it is no instance of a service, does not run, or has not left within 20 s.
    pub fn leave(&self) -> Result<()> {
        let port = self.site.port(&admin(self.name()));
        probe::post(port, "/leave", END_WITHIN).map_err(|why| self.failure(format!("has not left its group: {why}")))
    }

    /// Stops it in its tracks (SIGSTOP), with all its children and their threads. It keeps its connections, and answers
    /// nobody.
    pub fn pause(&self) {
        if let Some(process) = self.lock().as_mut() {
            process.pause();
        }
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        if let Some(process) = self.lock().as_mut() {
            process.resume();
        }
    }

    /// Stops it if it runs, starts it again on the same ports and the same data, and waits until it is ready.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn restart(&self) -> Result<()> {
        self.stop();
        self.start()
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_mut().and_then(Process::running_pid)
    }

    /// How its last run ended; nothing while it runs, and before it ever did.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.lock().as_mut().and_then(Process::status)
    }

    /// That it has ended, how, and the end of its log; nothing while it runs, of a step that did its work, and of a part that
    /// was ended from here.
    pub fn death_notice(&self) -> Option<String> {
        let status = self.lock().as_mut().and_then(Process::unasked_status)?;
        let is_done = self.is_step() && status.success();
        (!is_done).then(|| self.failure(format!("ended with {status}")).to_string())
    }

    /// Runs its program once more, for a job of its own such as `views rebuild`, and waits for its end.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        let doing = format!("run {} {}", self.name(), arguments.join(" "));
        let launch = self.launch()?.arguments(arguments);
        let watchdog = &self.site.watchdog;
        let mut command = watchdog.command(&launch, Signal::SIGKILL).map_err(Error::io(&doing))?;
        command.current_dir(self.site.part_directory(self.name())?).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(Error::io(&doing))?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let output = child.wait_with_output().map_err(Error::io(&doing));
        watchdog.forget(pid);
        output
    }

    /// The one of `services/` that it is an instance of.
    pub fn service(&self) -> Option<&'static str> {
        self.declaration.service()
    }

    /// Whether it is an instance of a service.
    pub fn is_service(&self) -> bool {
        self.service().is_some()
    }

    /// Whether it does its work and ends, instead of staying.
    pub fn is_step(&self) -> bool {
        matches!(self.declaration.kind, Kind::Step { .. })
    }

    /// Where its clients reach it, if it has any.
    pub fn address(&self) -> Option<String> {
        let addresses = self.site.addresses();
        match self.name() {
            "kafka" => Some(addresses.kafka_bootstrap),
            "registry" => Some(addresses.schema_registry_url),
            "postgres" => Some(addresses.postgres_url),
            "mailbox" => Some(addresses.mailbox_url),
            "prometheus" => Some(addresses.prometheus_url),
            "jaeger" => Some(addresses.jaeger_url),
            "collector" => Some(addresses.otlp_url),
            _ => self.url(),
        }
    }

    /// Base of the HTTP interface of a service's instance.
    pub fn url(&self) -> Option<String> {
        self.service_address()?.url
    }

    /// Base of the admin port of a service's instance.
    pub fn admin_url(&self) -> Option<String> {
        Some(self.service_address()?.admin_url)
    }

    /// Its log, standard output and error of all its runs.
    pub fn log_path(&self) -> PathBuf {
        self.site.log(self.name())
    }

    /// The last lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log_path(), lines)
    }

    /// The line that starts a service by hand in its place, from the root of the workspace.
    ///
    /// # Errors
    /// If its directory cannot be written.
    pub fn command_line(&self) -> Result<String> {
        let by_hand = Launch { program: "cargo".into(), ..self.launch()? };
        let binary = self.service().unwrap_or(self.name());
        Ok(by_hand.arguments(["run", "--bin", binary]).to_string())
    }

    fn service_address(&self) -> Option<ServiceAddress> {
        self.site.addresses().services.into_iter().find(|service| service.name == self.name())
    }

    fn launch(&self) -> Result<Launch> {
        let site = &self.site;
        let own = match &self.declaration.kind {
            Kind::Infrastructure { launch, .. } => launch(site)?,
            Kind::Step { binary, describe } => {
                let described = site.services().into_iter().filter(|_| *describe == Describe::Passed);
                let files = described.map(|service| format!("--describe={}", site.description(service).display()));
                Launch::new(site.binary(binary)).arguments(files).addresses(&site.addresses())
            }
            Kind::Service { service, instance, http_port, .. } => {
                let name = self.name();
                let launch = Launch::new(site.binary(service)).connections(site).environment("INSTANCE", instance);
                let launch = launch.environment("ADMIN_LISTEN", probe::address(site.port(&admin(name))));
                let launch = match postgres::DATABASES_OF_SERVICES.contains(service) {
                    true => launch.environment("DATABASE_URL", postgres_url(site.port("postgres"), service)),
                    false => launch,
                };
                let launch = match http_port {
                    Some(_) => launch.environment("LISTEN", probe::address(site.port(name))),
                    None => launch,
                };
                let told = page::environment(service, &site.addresses());
                told.into_iter().fold(launch, |launch, (name, value)| launch.environment(&name, value))
            }
        };
        let more = site.environment.iter().filter(|(part, _, _)| part == self.name());
        Ok(more.fold(own, |launch, (_, name, value)| launch.environment(name, value)))
    }

    /// What it gets first if the owner of the stack dies. PostgreSQL has to tell its children, and gives shared memory
    /// back.
    fn death_signal(&self) -> Signal {
        if self.name() == "postgres" { Signal::SIGQUIT } else { Signal::SIGKILL }
    }

    /// Whether it works, or why it does not yet.
    fn probe(&self) -> Result<(), String> {
        let port = self.site.port(self.name());
        match &self.declaration.kind {
            Kind::Infrastructure { ready: Ready::Postgres, .. } => postgres::answers(port),
            Kind::Infrastructure { ready: Ready::Kafka, .. } => kafka::answers(port),
            Kind::Infrastructure { ready: Ready::Http(path), .. } => probe::answers_http(port, path),
            Kind::Infrastructure { ready: Ready::HttpAt((name, path)), .. } => {
                probe::answers_http(self.site.port(name), path)
            }
            Kind::Service { .. } => probe::answers_http(self.site.port(&admin(self.name())), "/readyz"),
            Kind::Step { .. } => Err("it is at work still".into()),
        }
    }

    fn failure(&self, why: impl Into<String>) -> Error {
        Error::Part { part: self.name().into(), why: why.into(), log: self.log_tail(30) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port, or shared memory that children of a killed PostgreSQL have not left yet.
fn found_something_in_use(error: &Error) -> bool {
    matches!(error, Error::Part { log, .. } if log.to_lowercase().contains("in use"))
}
