use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use avro_codec::Schemas;
use avro_codec::registry::{Compatibility, Registry};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use streams::{TopicDeclaration, Visibility, subject};
use streams_kafka::{Settings, create_topics};

use crate::{Broker, RawRecord, eventually_blocking, infrastructure, unique};

/// One service as a process: its real program, on free ports, with a topic prefix that nobody else uses, against the
/// shared [`infrastructure()`]. The test plays all the others. All calls block.
///
/// It is gone when it is dropped, and when the process of the test ends in whatever way: it may well be a `static`.
#[derive(Debug)]
pub struct Service {
    program: String,
    environment: BTreeMap<String, String>,
    writes: Vec<TopicDeclaration>,
    broker: Broker,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    guard: Child,
    log: Arc<Mutex<Vec<String>>>,
}

/// How long a service may take to become ready, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(10);

/// Kills the process group it is given when its standard input ends, which the test's process holds.
const GUARD: &str = r#"trap '' INT TERM HUP QUIT; read -r _; kill -s KILL -- "-$0""#;

impl Service {
    /// A service that does not run yet; `program` is what `env!("CARGO_BIN_EXE_<name>")` says. The settings are options of
    /// the service by their environment variables; all others have their defaults.
    ///
    /// # Errors
    /// If it cannot describe itself.
    pub fn new(program: &str, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let infrastructure = infrastructure();
        let prefix = unique("test") + "-";
        let given = [
            ("KAFKA_BOOTSTRAP", infrastructure.kafka_bootstrap()),
            ("SCHEMA_REGISTRY_URL", infrastructure.schema_registry_url()),
            ("TOPIC_PREFIX", &prefix),
            ("LISTEN", "127.0.0.1:0"),
            ("ADMIN_LISTEN", "127.0.0.1:0"),
            ("LOG_FORMAT", "json"),
        ];
        let environment = given.iter().chain(settings).map(|(name, value)| (name.to_string(), value.to_string()));
        let environment: BTreeMap<_, _> = environment.collect();
        let described = Command::new(program).arg("describe").env_clear().envs(&environment).output()?;
        ensure!(described.status.success(), "{program} describe: {}", String::from_utf8_lossy(&described.stderr));
        let mut description: Value = serde_json::from_slice(&described.stdout)?;
        let writes = serde_json::from_value(description["writes"].take())?;
        let broker = Broker::at(&environment["KAFKA_BOOTSTRAP"]);
        Ok(Self { program: program.to_string(), environment, writes, broker, running: Mutex::default() })
    }

    /// Another instance of it, with the same topics and settings but for these, `INSTANCE` to begin with.
    pub fn beside(&self, settings: &[(&str, &str)]) -> Self {
        let mut environment = self.environment.clone();
        environment.extend(settings.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        let (program, writes, broker) = (self.program.clone(), self.writes.clone(), self.broker.clone());
        Self { program, environment, writes, broker, running: Mutex::default() }
    }

    /// Registers the schemas of its topics and of those that others write, and returns what to read and write them with.
    ///
    /// # Errors
    /// If the registry refuses.
    pub fn register_schemas(&self, others: &[TopicDeclaration]) -> anyhow::Result<Schemas> {
        let registry = Registry::new(infrastructure().schema_registry_url(), PATIENCE)?;
        on_a_thread(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let schemas = Schemas::new();
            for topic in self.writes.iter().chain(others) {
                let Some(text) = &topic.schema else { continue };
                let compatibility = match topic.visibility {
                    Visibility::Public => Compatibility::FullTransitive,
                    Visibility::Private => Compatibility::BackwardTransitive,
                };
                let subject = subject(&topic.name);
                let id = runtime.block_on(registry.register(&subject, text, compatibility))?;
                schemas.bind(&subject, id, text)?;
            }
            Ok(schemas)
        })
    }

    /// Creates its topics and those that others write, under its prefix.
    ///
    /// # Errors
    /// If the broker refuses.
    pub fn create_topics(&self, others: &[TopicDeclaration]) -> anyhow::Result<()> {
        let topics: Vec<_> = self.writes.iter().chain(others).cloned().collect();
        let prefix = &self.environment["TOPIC_PREFIX"];
        let settings = Settings {
            topic_prefix: prefix.clone(),
            ..Settings::new(&self.environment["KAFKA_BOOTSTRAP"], "test-kit")
        };
        on_a_thread(|| Ok(create_topics(&settings, &topics).map(drop)?))
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// If it ends instead, or is not ready within a minute; with its log.
    pub fn start(&self) -> anyhow::Result<()> {
        self.spawn()?;
        self.wait_ready()
    }

    /// Starts it and waits only until its ports are open.
    ///
    /// # Errors
    /// If it runs already, or ends before.
    pub fn spawn(&self) -> anyhow::Result<()> {
        let mut running = self.running();
        ensure!(running.is_none(), "{} runs already", self.program);
        *running = Some(Running::spawn(Command::new(&self.program).env_clear().envs(&self.environment))?);
        drop(running);
        self.until("its ports are open", |log| logged_address(log, ADMIN).map(drop))
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn wait_ready(&self) -> anyhow::Result<()> {
        self.until("it is ready", |log| {
            let is_ready = answers(&logged_address(log, ADMIN)?, "/readyz").unwrap_or(false);
            is_ready.then_some(())
        })
    }

    /// Its program with its settings and these arguments, such as a command of it, to be run to its end beside it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(&self.environment).args(arguments);
        command
    }

    /// Asks it to end, waits until it has, and returns how it ended. What it logged is lost.
    ///
    /// # Errors
    /// If it does not run, or does not end within a minute.
    pub fn stop(&self) -> anyhow::Result<ExitStatus> {
        let running = self.running().take().context("it does not run")?;
        running.signal(Signal::SIGTERM)?;
        running.ended()
    }

    /// Ends it with SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill(&self) -> anyhow::Result<()> {
        let running = self.running().take().context("it does not run")?;
        running.signal(Signal::SIGKILL)?;
        let status = running.ended()?;
        ensure!(status.signal() == Some(Signal::SIGKILL as i32), "it ended by itself before: {status}");
        Ok(())
    }

    /// Stops it where it stands, as a machine does that has too much else to do, until [`resume`](Self::resume).
    ///
    /// # Errors
    /// If it does not run.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Errors
    /// If it does not run.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Base of its HTTP interface. Each run has another port.
    ///
    /// # Panics
    /// If it does not run or has no such interface.
    pub fn url(&self) -> String {
        format!("http://{}", self.address(HTTP))
    }

    /// Base of its admin port.
    ///
    /// # Panics
    /// If it does not run.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.address(ADMIN))
    }

    /// What it has logged in this run, one JSON object per line.
    pub fn log(&self) -> String {
        self.running().as_ref().map(|running| running.log().join("\n")).unwrap_or_default()
    }

    /// Writes records to one of its topics, as another would, and returns them once they are acknowledged.
    ///
    /// # Errors
    /// If they are not.
    pub fn write(&self, topic: &str, records: Vec<RawRecord>) -> anyhow::Result<Vec<RawRecord>> {
        self.broker.write(&self.topic(topic), records)
    }

    /// All committed records of one of its topics.
    ///
    /// # Errors
    /// If there is no such topic.
    pub fn read_all(&self, topic: &str) -> anyhow::Result<Vec<RawRecord>> {
        self.broker.read_all(&self.topic(topic))
    }

    /// All records that it could not handle.
    ///
    /// # Errors
    /// If it has no topic for them.
    pub fn dead_letters(&self) -> anyhow::Result<Vec<RawRecord>> {
        let topic = self.writes.iter().find(|topic| topic.schema.is_none());
        self.read_all(&topic.context("it has no dead letters")?.name)
    }

    /// What the broker calls one of its topics.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.environment["TOPIC_PREFIX"])
    }

    /// Its name, which is its program's.
    pub(crate) fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or_default()
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.running().as_ref().context("it does not run")?.signal(signal)
    }

    fn address(&self, of_what: &str) -> String {
        eventually_blocking(&format!("it says that {of_what}"), PATIENCE, || {
            logged_address(&self.running().as_ref().expect("it runs").log(), of_what)
        })
    }

    fn until(&self, what: &str, mut condition: impl FnMut(&[String]) -> Option<()>) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut running = self.running();
            let Some(process) = running.as_mut() else { bail!("it was ended before {what}") };
            let ended = process.child.try_wait()?;
            let log = process.log().clone();
            drop(running);
            if condition(&log).is_some() {
                return Ok(());
            }
            let log = log.join("\n");
            if let Some(status) = ended {
                bail!("{} ended with {status} before {what}:\n{log}", self.program);
            }
            ensure!(Instant::now() < deadline, "{}: not within {PATIENCE:?}: {what}:\n{log}", self.program);
            thread::sleep(INTERVAL);
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.process_group(0).stderr(Stdio::piped()).spawn()?;
        let mut guard = Command::new("/bin/sh");
        let guard =
            guard.args(["-c", GUARD, &child.id().to_string()]).process_group(0).stdin(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stderr.take().context("it was piped")?).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let writer = log.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                writer.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Ok(Self { child, guard, log })
    }

    fn log(&self) -> MutexGuard<'_, Vec<String>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(Pid::from_raw(self.child.id().cast_signed()), signal)?)
    }

    fn ended(mut self) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "it did not end within {PATIENCE:?}:\n{}", self.log().join("\n"));
            thread::sleep(INTERVAL);
        }
    }
}

impl Drop for Running {
    /// The guard first: once the process was waited for, its id may be somebody else's.
    fn drop(&mut self) {
        let _ = self.guard.kill().and_then(|()| self.guard.wait());
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// What is logged where a port is open.
const ADMIN: &str = "probes and metrics are served";
const HTTP: &str = "HTTP requests are taken";

fn logged_address(log: &[String], of_what: &str) -> Option<String> {
    let line = log.iter().find(|line| line.contains(of_what))?;
    let line: Value = serde_json::from_str(line).ok()?;
    Some(line["address"].as_str()?.to_string())
}

/// Whether a GET is answered with 200.
fn answers(address: &str, path: &str) -> io::Result<bool> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    write!(connection, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200 "))
}

/// So that it may be called from inside a runtime as well.
fn on_a_thread<T: Send>(work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    thread::scope(|scope| scope.spawn(work).join()).map_err(|_| anyhow::anyhow!("the thread panicked"))?
}
