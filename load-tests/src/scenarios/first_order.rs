use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use local::Interrupt;
use tempfile::TempDir;

use crate::pace::{Pace, pause};
use crate::report::{Figure, Outcome, Report};
use crate::shop::Shop;

const LONGEST_S: f64 = 25.0;
const ROUNDS: usize = 2;
const GIVEN_UP_AFTER: Duration = Duration::from_secs(120);

/// Starts a demo with everything built and fetched, as `make demo` does, and places an order as soon as it says where.
pub(crate) fn run(interrupt: &Interrupt, report: &mut Report) -> anyhow::Result<()> {
    let mut seconds = Vec::new();
    for _ in 0..ROUNDS {
        let demo = Demo::start()?;
        let shop = Shop::at(vec![demo.orders_url(interrupt)?])?;
        let placed = shop.order(Pace { per_second: 1000, starts: 1 }, "first", interrupt)?;
        ensure!(placed.errors == 0, "the first order failed");
        seconds.push(demo.started.elapsed().as_secs_f64());
    }
    let longest = seconds.iter().copied().fold(0.0, f64::max);
    report.add(Figure {
        what: "first VALIDATED order after `make demo`, all built and fetched".to_string(),
        bar: format!("≤ {LONGEST_S} s"),
        value: seconds.iter().map(|seconds| format!("{seconds:.1} s")).collect::<Vec<_>>().join(", "),
        beside: String::new(),
        outcome: Outcome::of(longest <= LONGEST_S),
    });
    Ok(())
}

/// A demo on ports of its own, beside one that may be running.
struct Demo {
    process: Child,
    program: PathBuf,
    home: TempDir,
    started: Instant,
}

impl Demo {
    fn start() -> anyhow::Result<Self> {
        let program = env::current_exe()?.with_file_name("local");
        let home = TempDir::new()?;
        let started = Instant::now();
        let mut command = Command::new(&program);
        command.args(["up", "--env-file"]).arg(env_file(home.path()));
        command.arg("--free-ports");
        // Told nothing of it, the command asks cargo whether all is built, as `make demo` does.
        command.env_remove("MILLRACE_BUILT").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { process, program, home, started })
    }

    /// Where orders listens, once everything is ready.
    fn orders_url(&self, interrupt: &Interrupt) -> anyhow::Result<String> {
        while self.started.elapsed() < GIVEN_UP_AFTER {
            pause(interrupt, Duration::from_millis(5))?;
            let addresses = fs::read_to_string(env_file(self.home.path())).unwrap_or_default();
            let url = addresses.lines().find_map(|line| line.strip_prefix("ORDERS_URL="));
            if let Some(url) = url.filter(|_| addresses.ends_with('\n')) {
                return Ok(url.to_string());
            }
        }
        anyhow::bail!("no demo within {GIVEN_UP_AFTER:?}")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let down = Command::new(&self.program).args(["down", "--env-file"]).arg(env_file(self.home.path())).output();
        if down.is_ok_and(|down| down.status.success()) {
            let _ = self.process.wait();
        } else {
            let _ = self.process.kill();
        }
    }
}

fn env_file(home: &Path) -> PathBuf {
    home.join("demo.env")
}
