use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::watchdog::Watchdog;

/// A process in a group of its own, with all that descend from it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    watchdog: Arc<Watchdog>,
    /// What the watchdog is to tell it first.
    death_signal: Signal,
    /// Once its end was seen; until then its id cannot be somebody else's.
    status: Option<ExitStatus>,
    /// Whether it was asked to end.
    was_asked: bool,
    paused: Vec<Pid>,
}

/// How long a process that was told to stand still may take to do so in all its threads.
const STANDS_WITHIN: Duration = Duration::from_secs(2);

impl Process {
    /// Starts a command that announces itself to the watchdog.
    pub(crate) fn spawn(mut command: Command, watchdog: Arc<Watchdog>, death_signal: Signal) -> io::Result<Self> {
        let child = command.spawn()?;
        Ok(Self { child, watchdog, death_signal, status: None, was_asked: false, paused: Vec::new() })
    }

    pub(crate) fn running_pid(&mut self) -> Option<u32> {
        self.is_running().then(|| self.child.id())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.status().is_none()
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.ended(status);
        }
        self.status
    }

    /// How it ended, if it has and nobody asked it to.
    pub(crate) fn unasked_status(&mut self) -> Option<ExitStatus> {
        self.status().filter(|_| !self.was_asked)
    }

    /// Asks it to end with a signal to the whole group, and kills it if it has not in time.
    pub(crate) fn end(&mut self, signal: Signal, within: Duration) {
        self.resume();
        if self.is_running() {
            self.was_asked = true;
            let _ = killpg(self.pid(), signal);
            let deadline = Instant::now() + within;
            while self.is_running() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
            self.kill();
        }
    }

    pub(crate) fn kill(&mut self) {
        if !self.is_running() {
            return;
        }
        self.was_asked = true;
        // PostgreSQL's children have groups of their own.
        let all = with_descendants(self.pid());
        let _ = killpg(self.pid(), Signal::SIGKILL);
        for pid in all {
            let _ = kill(pid, Signal::SIGKILL);
            self.watchdog.forget(pid);
        }
        if let Ok(status) = self.child.wait() {
            self.ended(status);
        }
    }

    pub(crate) fn pause(&mut self) {
        if self.is_running() {
            self.paused = with_descendants(self.pid());
            for pid in &self.paused {
                let _ = kill(*pid, Signal::SIGSTOP);
                // A stopped process hears nothing but SIGKILL, and its children are unknown to the watchdog.
                self.watchdog.forget(*pid);
                self.watchdog.watch(*pid, Signal::SIGKILL);
            }
            // The signal is answered thread by thread, and one that runs still could still answer somebody.
            let deadline = Instant::now() + STANDS_WITHIN;
            while !self.paused.iter().all(|pid| stands(*pid)) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    pub(crate) fn resume(&mut self) {
        for pid in std::mem::take(&mut self.paused) {
            let _ = kill(pid, Signal::SIGCONT);
            self.watchdog.forget(pid);
            if pid == self.pid() {
                self.watchdog.watch(pid, self.death_signal);
            }
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    fn ended(&mut self, status: ExitStatus) {
        self.watchdog.forget(self.pid());
        self.status = Some(status);
        self.paused.clear();
    }
}

/// A process and all that descend from it, as far as `/proc` tells.
fn with_descendants(pid: Pid) -> Vec<Pid> {
    let parents: Vec<(Pid, Pid)> = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(parent).collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        next += 1;
    }
    found
}

/// A process and its parent.
fn parent(entry: fs::DirEntry) -> Option<(Pid, Pid)> {
    let pid = entry.file_name().to_str()?.parse().ok()?;
    let (_, parent) = state_and_parent(&entry.path())?;
    Some((Pid::from_raw(pid), Pid::from_raw(parent)))
}

/// Whether every thread of a process is stopped, or gone, as far as `/proc` tells.
fn stands(pid: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.filter_map(|thread| state_and_parent(&thread.path())).all(|(state, _)| "TtZX".contains(state))
}

/// From the file `stat` of a process or a thread: `PID (name) STATE PARENT …`, where the name may hold anything.
fn state_and_parent(directory: &Path) -> Option<(char, i32)> {
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace();
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
