use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use local::{Addresses, Interrupt, ServiceAddress, free_port, workspace};
use serde_json::Value;

use crate::command::{output, run};

/// Of this project alone: beside it a demo in containers may run.
const NAME: &str = "millrace-test";

const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// `deploy/compose.yaml` under a name and on ports of its own. Whoever drops it takes down what is left of it.
#[derive(Debug)]
pub struct Project {
    /// Of `deploy/.env`, or of the stand-ins, and free ports in place of those of the demo.
    variables: BTreeMap<String, String>,
    is_offline: bool,
    interrupt: Interrupt,
}

/// A container, as the engine describes it.
#[derive(Debug)]
pub struct Container {
    pub service: String,
    pub description: Value,
}

impl Project {
    /// Nothing runs yet. `is_offline`: on stand-ins for upstream images.
    pub fn new(is_offline: bool, interrupt: Interrupt) -> anyhow::Result<Self> {
        let mut variables = settings(".env")?;
        if is_offline {
            variables.extend(settings("offline/images.env")?);
        }
        for (name, value) in &mut variables {
            if name.ends_with("_PORT") {
                *value = free_port()?.to_string();
            }
        }
        Ok(Self { variables, is_offline, interrupt })
    }

    /// What a variable of `.env` is here.
    pub fn setting(&self, name: &str) -> anyhow::Result<&str> {
        self.variables.get(name).map(String::as_str).with_context(|| format!("deploy/.env does not set {name}"))
    }

    /// Runs Compose; what it says goes to the terminal.
    pub fn compose(&self, arguments: &[&str]) -> anyhow::Result<()> {
        self.compose_of(&workspace(), arguments)
    }

    /// As [`compose`](Self::compose), with the files of another tree.
    pub fn compose_of(&self, tree: &Path, arguments: &[&str]) -> anyhow::Result<()> {
        run(&mut self.command(tree, arguments), &self.interrupt)
    }

    /// Builds all our images.
    pub fn build(&self) -> anyhow::Result<()> {
        self.compose(&["--profile", "load", "build"])
    }

    /// What one of our images holds: the digests of its layers.
    pub fn layers(&self, name: &str) -> anyhow::Result<String> {
        let image = format!("{}{name}:{}", self.setting("IMAGE_PREFIX")?, self.setting("IMAGE_TAG")?);
        self.docker(&["image", "inspect", "--format", "{{.RootFS.Layers}}", &image])
    }

    /// Runs Compose and returns what it says.
    pub fn told(&self, arguments: &[&str]) -> anyhow::Result<String> {
        output(&mut self.command(&workspace(), arguments), &self.interrupt)
    }

    /// Runs the client of the engine and returns what it says.
    pub fn docker(&self, arguments: &[&str]) -> anyhow::Result<String> {
        output(Command::new("docker").args(arguments), &self.interrupt)
    }

    /// Where its parts are reached from here.
    pub fn addresses(&self) -> anyhow::Result<Addresses> {
        let port = |name: &str| self.setting(&format!("{name}_PORT"));
        let http = |name: &str| anyhow::Ok(format!("http://127.0.0.1:{}", port(name)?));
        let password = self.setting("POSTGRES_PASSWORD")?;
        let instances = ["orders", "orders-1", "payments", "customers", "views"].map(|name| {
            let service = name.trim_end_matches("-1").to_string();
            let url = Some(http(&name.to_uppercase().replace('-', "_"))?);
            anyhow::Ok(ServiceAddress { name: name.to_string(), service, url, admin_url: String::new() })
        });
        Ok(Addresses {
            kafka_bootstrap: format!("127.0.0.1:{}", port("KAFKA")?),
            schema_registry_url: format!("{}/apis/ccompat/v7", http("REGISTRY")?),
            postgres_url: format!("postgres://postgres:{password}@127.0.0.1:{}/postgres", port("POSTGRES")?),
            mailbox_url: http("MAILBOX")?,
            smtp_url: format!("smtp://127.0.0.1:{}", port("SMTP")?),
            services: instances.into_iter().collect::<Result<_, _>>()?,
            ..Addresses::default()
        })
    }

    /// The images that are built from `deploy/Dockerfile`.
    pub fn own_images(&self) -> anyhow::Result<BTreeSet<String>> {
        let (all, prefix) = (self.told(&["--profile", "load", "config", "--images"])?, self.setting("IMAGE_PREFIX")?);
        Ok(all.lines().filter(|image| image.starts_with(prefix)).map(str::to_string).collect())
    }

    /// All its containers, those that have ended too.
    pub fn containers(&self) -> anyhow::Result<Vec<Container>> {
        let ids = self.told(&["ps", "--all", "--quiet"])?;
        ids.lines().map(|id| self.described(id)).collect()
    }

    /// The container of a service.
    pub fn container(&self, service: &str) -> anyhow::Result<Container> {
        let id = self.told(&["ps", "--all", "--quiet", service])?;
        self.described(id.trim())
    }

    /// Ends the process of a service's container as a crash does, past the engine, and waits until the engine has started
    /// another one and finds it healthy. Returns how long that took.
    pub fn crash(&self, service: &str, within: Duration) -> anyhow::Result<Duration> {
        let before = self.container(service)?;
        let (began, kill) = (Instant::now(), format!("kill -9 {}", before.description["State"]["Pid"]));
        // From a container that sees the processes of the machine: the engine may belong to somebody else, or run elsewhere.
        let image = self.setting("KAFKA_IMAGE")?;
        let seeing = ["run", "--rm", "--pid=host", "--user=0", "--network=none", "--entrypoint=sh"];
        self.docker(&[&seeing[..], &[image, "-c", &kill]].concat())?;
        self.until(&format!("{service} is healthy again"), within, || {
            let after = self.container(service)?;
            let is_another = after.restarts() > before.restarts();
            Ok((is_another && after.is_healthy()).then_some(()))
        })?;
        Ok(began.elapsed())
    }

    /// Waits until there is an answer.
    pub fn until<T>(
        &self,
        what: &str,
        within: Duration,
        mut answer: impl FnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        loop {
            if let Some(answer) = answer()? {
                return Ok(answer);
            }
            ensure!(began.elapsed() < within, "not within {within:?}: {what}");
            ensure!(!self.interrupt.wait(POLL_INTERVAL), "interrupted");
        }
    }

    /// Takes everything down, and looks for anything that is left.
    pub fn down(&self) -> anyhow::Result<()> {
        // Asked to end, it still has to leave nothing.
        let unstoppable = Interrupt::default();
        run(
            &mut self.command(&workspace(), &["--profile", "*", "down", "--volumes", "--remove-orphans"]),
            &unstoppable,
        )?;
        let label = format!("label=com.docker.compose.project={NAME}");
        let kinds: [&[&str]; 3] = [&["ps", "--all"], &["volume", "ls"], &["network", "ls"]];
        for kind in kinds {
            let left = output(Command::new("docker").args(kind).args(["--quiet", "--filter", &label]), &unstoppable)?;
            ensure!(left.trim().is_empty(), "`docker {}` still has {}", kind.join(" "), left.trim());
        }
        Ok(())
    }

    fn command(&self, tree: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(tree.join("deploy/compose"));
        command.args(["--project-name", NAME, "--ansi", "never", "--progress", "plain"]).args(arguments);
        let ports = self.variables.iter().filter(|(name, _)| name.ends_with("_PORT"));
        command.envs(ports).env("OFFLINE", if self.is_offline { "yes" } else { "no" });
        command
    }

    fn described(&self, id: &str) -> anyhow::Result<Container> {
        let mut described: Value = serde_json::from_str(&self.docker(&["inspect", id])?)?;
        let description = described[0].take();
        let service = description["Config"]["Labels"]["com.docker.compose.service"].as_str();
        let service = service.with_context(|| format!("{id} is no container of Compose"))?.to_string();
        Ok(Container { service, description })
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if let Err(error) = self.down() {
            eprintln!("error: {error:#}");
        }
    }
}

impl Container {
    fn restarts(&self) -> u64 {
        self.description["RestartCount"].as_u64().unwrap_or_default()
    }

    fn is_healthy(&self) -> bool {
        self.description["State"]["Health"]["Status"] == "healthy"
    }
}

/// The variables of a file in `deploy`.
pub fn settings(file: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let path: PathBuf = workspace().join("deploy").join(file);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let variable = |line: &str| match line.split_once('=') {
        Some((name, value)) => Ok((name.to_string(), value.to_string())),
        None => bail!("{}: NAME=value is wanted, not `{line}`", path.display()),
    };
    lines.map(variable).collect()
}
