use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use local::Interrupt;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Runs a program to its end; what it says goes to the terminal.
///
/// # Errors
/// If it cannot be started, fails, or everything is to end: then it is asked to.
pub fn run(command: &mut Command, interrupt: &Interrupt) -> anyhow::Result<()> {
    ended(command.stdout(Stdio::inherit()).stderr(Stdio::inherit()), interrupt).map(drop)
}

/// Runs a program to its end and returns what it says on standard output.
///
/// # Errors
/// As [`run`]; with what it said on standard error.
pub fn output(command: &mut Command, interrupt: &Interrupt) -> anyhow::Result<String> {
    let output = ended(command.stdout(Stdio::piped()).stderr(Stdio::piped()), interrupt)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ended(command: &mut Command, interrupt: &Interrupt) -> anyhow::Result<Output> {
    let line = line(command);
    // A group of its own, so that all it has started hears of the end.
    let child = command.stdin(Stdio::null()).process_group(0).spawn().with_context(|| format!("cannot run {line}"))?;
    let group = Pid::from_raw(child.id().cast_signed());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let mut is_asked_to_end = false;
    let output: io::Result<Output> = loop {
        match receiver.recv_timeout(POLL_INTERVAL) {
            Ok(output) => break output,
            Err(RecvTimeoutError::Timeout) if !is_asked_to_end && interrupt.wait(Duration::ZERO) => {
                is_asked_to_end = true;
                let _ = killpg(group, Signal::SIGTERM);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("nobody waited for {line}"),
        }
    };
    let output = output.with_context(|| format!("cannot run {line}"))?;
    ensure!(!is_asked_to_end, "interrupted");
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{line} failed with {}\n{}", output.status, said.trim_end());
    Ok(output)
}

fn line(command: &Command) -> String {
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    let program = command.get_program().to_string_lossy().into_owned();
    [program].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}
