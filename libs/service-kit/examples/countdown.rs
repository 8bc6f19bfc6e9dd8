//! A service that is a task: it counts down, and shows what becomes of a process whose task ends by itself.

use std::process::ExitCode;
use std::time::Duration;

use service_kit::{Context, Service};
use tokio::time::interval;

/// Counts down and gives up
#[derive(Debug, clap::Args)]
struct Options {
    /// Where to begin
    #[arg(long, env = "FROM", default_value = "10", value_name = "NUMBER")]
    from: u32,
}

fn main() -> ExitCode {
    Service::<Options>::new("countdown").task("the countdown", countdown).run()
}

async fn countdown(context: Context<Options>) -> anyhow::Result<()> {
    let mut seconds = interval(Duration::from_secs(1));
    for number in (1..=context.options().from).rev() {
        tokio::select! {
            _ = seconds.tick() => tracing::info!(number, "counting"),
            () = context.stopping().cancelled_owned() => return Ok(()),
        }
    }
    anyhow::bail!("there is nothing left to count")
}
