use std::io;
use std::process::exit;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What asks the process to end: SIGTERM from an orchestrator, SIGINT from a terminal.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn caught() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The number of the next one.
    pub(crate) async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        }
    }

    /// From here on, the next one ends the process at once, with the exit code of a process that a signal killed.
    pub(crate) fn kill_from_now_on(mut self) {
        tokio::spawn(async move {
            let number = self.next().await;
            tracing::warn!("asked a second time: ending at once");
            exit(128 + number);
        });
    }
}
