//! The examples as processes of their own.

mod commands;
mod instances;
mod running;
mod starting;
mod stopping;
mod telling;
mod waiting;
mod watching;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::timeout;

use crate::client::DEADLINE;

/// A service that runs, and what it logs.
struct Running {
    child: Child,
    log: UnboundedReceiver<String>,
}

impl Running {
    /// Starts an example on free ports.
    fn started(example: &str, arguments: &[&str]) -> Self {
        let mut command = command(example);
        command.args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--log-format=json"]).args(arguments);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (sender, log) = mpsc::unbounded_channel();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // Always read, since a process whose log nobody takes stands still.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = sender.send(line);
            }
        });
        Self { child, log }
    }

    /// The next line of the log with this message.
    async fn logged(&mut self, message: &str) -> Value {
        let found = async {
            while let Some(line) = self.log.recv().await {
                let line: Value = serde_json::from_str(&line).expect("every line of the log is JSON");
                if line["message"].as_str().is_some_and(|text| text.starts_with(message)) {
                    return line;
                }
            }
            panic!("the log ends without {message:?}");
        };
        timeout(DEADLINE, found).await.expect("the line comes in time")
    }

    /// Where probes and metrics are.
    async fn admin(&mut self) -> SocketAddr {
        address(&self.logged("probes and metrics are served").await)
    }

    /// Where the service itself is, ready or not.
    async fn front(&mut self) -> SocketAddr {
        address(&self.logged("HTTP requests are taken").await)
    }

    /// Where the service itself is, once it is ready.
    async fn ready(&mut self) -> SocketAddr {
        let address = self.front().await;
        self.logged("ready").await;
        address
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("the process has not been waited for");
        kill(Pid::from_raw(id.try_into().unwrap()), signal).unwrap();
    }

    /// The exit code.
    async fn ended(mut self) -> Option<i32> {
        timeout(DEADLINE, self.child.wait()).await.expect("the process ends in time").unwrap().code()
    }
}

/// Runs an example that ends by itself.
async fn output(example: &str, arguments: &[&str]) -> Output {
    timeout(DEADLINE, command(example).args(arguments).output()).await.expect("the process ends in time").unwrap()
}

fn command(example: &str) -> Command {
    let tests: PathBuf = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(|path| path.parent()).unwrap().join("examples").join(example);
    assert!(path.exists(), "{} is missing: run `cargo test -p service-kit`, which builds it", path.display());
    let mut command = Command::new(path);
    command.env_clear().kill_on_drop(true);
    command
}

fn address(line: &Value) -> SocketAddr {
    line["address"].as_str().unwrap().parse().unwrap()
}
