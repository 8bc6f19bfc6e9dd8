//! A service with a command: `tally count` reads what the service takes out of Kafka from its beginning, and ends.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use service_kit::{Context, Service, SinkEvent};
use streams::Topic;

const CHIMES: Topic<Chime> = Topic::new("chimes", "belfry", |chime| chime.bell.clone());

/// Counts the strokes of bells
#[derive(Debug, clap::Args)]
struct Options {
    /// What there must be to count
    #[arg(long, env = "LEAST_STROKES", default_value = "0", value_name = "NUMBER")]
    least_strokes: i32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Chime {
    bell: String,
    strokes: i32,
}

impl AvroRecord for Chime {
    const SCHEMA: &'static str = r#"{"type":"record","name":"Chime","fields":[
        {"name":"bell","type":"string"},{"name":"strokes","type":"int"}]}"#;
}

fn main() -> ExitCode {
    Service::<Options>::new("tally").sinks(&CHIMES).command("count", "Counts all there ever were", count).run()
}

async fn count(context: Context<Options>) -> anyhow::Result<()> {
    let counted = tokio::select! {
        counted = strokes(&context) => counted?,
        () = context.stopping().cancelled_owned() => anyhow::bail!("it was stopped"),
    };
    ensure!(counted >= context.options().least_strokes, "there are only {counted}");
    println!("{counted}");
    Ok(())
}

async fn strokes(context: &Context<Options>) -> anyhow::Result<i32> {
    let mut replay = context.replay();
    replay.assigned().await?;
    replay.start_at([]);
    let mut left = replay.extents().await.context("the broker does not say how far the log goes")?;
    let mut counted = 0;
    while !left.is_empty() {
        let SinkEvent::Records(records) = replay.next().await? else { continue };
        for record in records {
            counted += record.value::<Chime>()?.strokes;
            left.retain(|at, extent| at != record.source() || extent.end > record.offset() + 1);
        }
    }
    Ok(counted)
}
