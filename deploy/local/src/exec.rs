use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::addresses::GIVEN;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::launch::Launch;
use crate::part::Part;
use crate::process::Process;
use crate::progress::Progress;
use crate::stack::Stack;

/// How long an interrupted command may take.
const END_WITHIN: Duration = Duration::from_secs(20);

/// Starts the infrastructure, runs a command with its addresses in the environment, and returns the command's exit code
/// (128 and the signal, if one ended it).
///
/// An interrupt is passed on, and the command does not outlive this process.
///
/// # Errors
/// If the infrastructure or the command cannot be started.
pub fn exec(command: &[String], interrupt: &Interrupt) -> Result<ExitCode> {
    let Some((program, arguments)) = command.split_first() else { return Ok(ExitCode::SUCCESS) };
    let progress = Progress::shown();
    let stack = Stack::builder().infrastructure().progress().interrupt(interrupt.clone()).start()?;
    let launch = Launch::new(program).arguments(arguments).connections(stack.site()).environment(GIVEN, "yes");
    let watchdog = Arc::clone(&stack.site().watchdog);
    let command = watchdog.command(&launch, Signal::SIGKILL).map_err(Error::io(format!("run {program}")))?;
    let process = Process::spawn(command, watchdog, Signal::SIGKILL);
    let mut process = process.map_err(Error::io(format!("run {program}")))?;
    let status = loop {
        if let Some(status) = process.status() {
            break status;
        }
        if interrupt.wait(Duration::from_millis(20)) {
            process.end(Signal::SIGTERM, END_WITHIN);
        }
    };
    for notice in stack.parts().iter().filter_map(Part::death_notice) {
        progress.say(&notice);
    }
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}
