use std::io::{self, PipeWriter, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::launch::Launch;

/// A small process that outlives its owner by a moment and leaves nothing of it behind.
///
/// It reads a pipe whose other end the owner holds. However the owner ends, by itself, by a panic or by `kill -9`, the
/// pipe ends with it; then the processes that were announced through it are killed and the given paths removed. (Linux
/// could send a signal on the parent's death instead, but means the thread that started the child, not the process.)
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Taken when it is dropped.
    pipe: Option<PipeWriter>,
    shell: Child,
}

/// Lines are `+ PID SIGNAL` (a process group, and how it is to be told first) and `- PID`. SIGKILL follows for what is
/// still there after five seconds.
const WATCH: &str = r#"
trap '' INT TERM HUP QUIT
watched=
while read -r sign pid signal; do
    case $sign in
    +) watched="$watched $pid:$signal" ;;
    -)  kept=
        for entry in $watched; do
            [ "${entry%%:*}" = "$pid" ] || kept="$kept $entry"
        done
        watched=$kept ;;
    esac
done
for entry in $watched; do
    kill -s "${entry#*:}" -- "-${entry%%:*}"
done
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
    alive=
    for entry in $watched; do
        kill -0 -- "-${entry%%:*}" && alive=1
    done
    [ "$alive" ] || break
    sleep 0.2
done
for entry in $watched; do
    kill -s KILL -- "-${entry%%:*}"
done
for round in 1 2 3 4 5; do
    rm -rf -- "$@" && break
    sleep 0.2
done
"#;

/// Announces itself to the watchdog before it becomes the program, so that there is no moment in which the owner could
/// die with the process known to nobody. Standard input is the pipe until then.
const ANNOUNCE: &str = r#"echo "+ $$ $0" >&0 && exec "$@" </dev/null"#;

impl Watchdog {
    /// Starts one that will remove `paths`.
    pub(crate) fn start(paths: impl IntoIterator<Item = PathBuf>) -> io::Result<Self> {
        let (reader, pipe) = io::pipe()?;
        let shell = shell(WATCH)
            .arg("watchdog")
            .args(paths)
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/")
            .stdin(reader)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { pipe: Some(pipe), shell })
    }

    /// The command that starts `launch` in a process group of its own, which gets `signal` if the owner dies.
    pub(crate) fn command(&self, launch: &Launch, signal: Signal) -> io::Result<Command> {
        let mut command = shell(ANNOUNCE);
        command.arg(signal_name(signal)).arg(&launch.program).args(&launch.arguments);
        command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
        if let Some(pipe) = &self.pipe {
            command.stdin(pipe.try_clone()?);
        }
        if let Some(user) = launch.user {
            command.uid(user.uid).gid(user.gid);
        }
        Ok(command)
    }

    /// Has a process group killed with the rest that did not announce itself.
    pub(crate) fn watch(&self, pid: Pid, signal: Signal) {
        self.tell(format!("+ {pid} {}\n", signal_name(signal)));
    }

    /// The process group is gone, or about to be: its id may soon be somebody else's.
    pub(crate) fn forget(&self, pid: Pid) {
        self.tell(format!("- {pid}\n"));
    }

    /// Refused only if somebody killed the watchdog; then there is nobody left to tell.
    fn tell(&self, line: String) {
        if let Some(mut pipe) = self.pipe.as_ref() {
            let _ = pipe.write_all(line.as_bytes());
        }
    }
}

impl Drop for Watchdog {
    /// Lets it do its work, and waits until it is done.
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.shell.wait();
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).process_group(0);
    command
}

/// As `kill -s` wants it.
fn signal_name(signal: Signal) -> &'static str {
    signal.as_str().trim_start_matches("SIG")
}
