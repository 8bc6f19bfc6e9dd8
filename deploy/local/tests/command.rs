//! The command `local` as `make` and people use it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use test_kit::eventually_blocking;

/// On a machine that is busy with other tests.
const WITHIN: Duration = Duration::from_secs(60);

#[test]
fn down_ends_a_demo_and_leaves_nothing() {
    let demo = Demo::up();
    let again = demo.local(&["up", "--only", "postgres"]);
    assert!(!again.status.success());
    assert!(text(&again.stderr).contains("a demo is already running here"), "{}", text(&again.stderr));

    let down = demo.local(&["down"]);

    assert!(down.status.success(), "{}", text(&down.stderr));
    demo.assert_gone();
    assert_eq!(text(&demo.local(&["down"]).stdout), "no demo is running\n");
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing() {
    let mut demo = Demo::up();
    kill(demo.pid(), Signal::SIGINT).expect("it runs");
    assert!(demo.process.wait().expect("it is ours").success());
    demo.assert_gone();
}

#[test]
fn a_demo_that_is_killed_leaves_nothing() {
    let mut demo = Demo::up();
    demo.process.kill().expect("it runs");
    demo.process.wait().expect("it is ours");
    eventually_blocking("the watchdog has cleaned up", WITHIN, || (!demo.is_anything_left()).then_some(()));
}

#[test]
fn exec_gives_a_command_the_addresses_and_returns_its_exit_code() {
    let script = r#"[ "$KAFKA_BOOTSTRAP" ] && [ "$SCHEMA_REGISTRY_URL" ] && [ "$POSTGRES_URL" ] && exit 7"#;
    let output = local().args(["exec", "--", "sh", "-c", script]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
}

#[test]
fn a_machine_without_the_programs_is_told_which_and_how_to_get_them() {
    let empty = TempDir::new().expect("there is room");
    let output = local().arg("setup").env("PATH", "").env("MILLRACE_CACHE", empty.path()).output().expect("it starts");

    let sentence = text(&output.stderr);
    assert!(!output.status.success());
    assert!(sentence.contains("Maven, tar and xz are missing on this machine"), "{sentence}");
    assert!(sentence.contains("maven tar xz-utils"), "{sentence}");
}

/// A demo of PostgreSQL alone.
struct Demo {
    home: TempDir,
    process: Child,
    postgres: u32,
    data: PathBuf,
}

impl Demo {
    fn up() -> Self {
        let home = TempDir::new().expect("there is room");
        let env_file = home.path().join("demo.env");
        let output = home.path().join("output");
        let mut up = local();
        up.args(["up", "--only", "postgres", "--port", "postgres=0"]).arg("--env-file").arg(&env_file);
        let process = up.stdout(fs::File::create(&output).expect("there is room")).spawn().expect("it starts");
        let read = || fs::read_to_string(&output).unwrap_or_default();
        eventually_blocking("the demo is up", WITHIN, || read().contains("Ctrl-C").then_some(()));
        let postgres = read().split("process ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        let postgres: u32 = postgres.expect("the process is told");
        let data = fs::read_link(proc(postgres).join("cwd")).expect("it has a directory");
        assert!(fs::read_to_string(&env_file).expect("it is written").contains("POSTGRES_URL=postgres://"));
        Self { home, process, postgres, data }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }

    fn local(&self, arguments: &[&str]) -> Output {
        local().args(arguments).arg("--env-file").arg(self.home.path().join("demo.env")).output().expect("it starts")
    }

    fn is_anything_left(&self) -> bool {
        let files = ["demo.env", "demo.pid"].map(|name| self.home.path().join(name).exists());
        is_alive(self.postgres) || self.data.exists() || files.contains(&true)
    }

    fn assert_gone(&self) {
        assert!(!is_alive(self.postgres), "process {} is left", self.postgres);
        assert!(!self.is_anything_left());
    }
}

impl Drop for Demo {
    /// Of a test that failed half way; the watchdog does the rest.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn local() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn proc(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// A process that has ended may stay in the table until its adoptive parent looks.
fn is_alive(pid: u32) -> bool {
    fs::read_to_string(proc(pid).join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
