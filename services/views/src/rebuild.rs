//! Builds the tables anew from the beginning of the log, while those of before go on serving.
//!
//! New tables are made in a schema of their own and filled by COPY; their indexes come last. Then there is little left to
//! catch up with: all who write are held back for a moment, what they have written and the new tables have not is added, and
//! the new ones are served. Readers never wait, and never go back.
//!
//! Killed at any moment before, it leaves behind tables that nobody knows, which the next rebuild drops; after it, those of
//! before.

mod building;
mod copy;
mod progress;
mod replay;
mod seen;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use service_kit::{Context, TopicPartition, failure_point};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::db;
use crate::options::Options;
use building::Building;
use copy::Portion;
use progress::{Progress, say};
use replay::{ALL, PORTION, Replay};

/// How long those who write are held back while the log tells what they have written.
const TAIL_PATIENCE: Duration = Duration::from_secs(5);

/// What `views rebuild` does.
pub async fn run(context: Context<Options>) -> anyhow::Result<()> {
    let stopping = context.stopping();
    tokio::select! {
        done = rebuild(context) => done,
        () = stopping.cancelled() => bail!("it was stopped; run it again"),
    }
}

async fn rebuild(context: Context<Options>) -> anyhow::Result<()> {
    let mut building = Building::begin(context.options()).await?;
    let mut replay = Replay::begin(&context).await?;
    let (ends, records) = replay.ends().await;
    let mut progress = Progress::new(context.clock(), records);
    building = fill(building, &mut replay, &ends, &mut progress).await?;
    progress.finished();
    building.make_indexes().await.context("the indexes cannot be made")?;
    let before = loop {
        if let Some(before) = catch_up(&mut building, &mut replay).await? {
            break before;
        }
    };
    let left_out = replay.left_out + building.refused;
    say(&format!("{} is served, {left_out} records left out", building.schema));
    failure_point("rebuild-after-switch");
    building.drop_tables(&before).await.context("the tables of before cannot be dropped")?;
    say(&format!("{before} is dropped"));
    Ok(())
}

/// Writes all that comes before these ends. While one portion is written, the next is read.
async fn fill(
    mut building: Building,
    replay: &mut Replay,
    ends: &BTreeMap<TopicPartition, i64>,
    progress: &mut Progress,
) -> anyhow::Result<Building> {
    let (sender, mut portions) = mpsc::channel::<Portion>(1);
    let writing = tokio::spawn(async move {
        while let Some(portion) = portions.recv().await {
            building.write(&portion).await?;
        }
        Ok::<_, sqlx::Error>(building)
    });
    while !replay.is_behind(ends) {
        replay.read(ends, PORTION).await?;
        progress.done(replay.read);
        if sender.send(replay.portion()).await.is_err() {
            break;
        }
    }
    drop(sender);
    writing.await?.context("the tables cannot be written")
}

/// Reads what came since, and has the new tables served: returns the schema of those of before, unless it took too long.
async fn catch_up(building: &mut Building, replay: &mut Replay) -> anyhow::Result<Option<String>> {
    const WHAT: &str = "the new tables cannot be served";

    let known = building.served_positions().await.context(WHAT)?;
    let log_ends = replay.log_ends().await;
    // Asked after that: what is left of the records before those positions is before these.
    let (ends, _) = replay.ends().await;
    while !replay.is_behind(&ends) {
        replay.read(&ends, PORTION).await?;
        building.write(&replay.portion()).await.context(WHAT)?;
    }
    let made_anew = replay.pass(known, &log_ends);
    let Some(mut switch) = building.switch().await.context(WHAT)? else {
        say("somebody goes on writing; once more");
        return Ok(None);
    };
    switch.positions.retain(|at, _| !made_anew.contains(at));
    match timeout(TAIL_PATIENCE, replay.read(&switch.positions, ALL)).await {
        Ok(read) => read?,
        Err(_) => {
            switch.cancel().await.context(WHAT)?;
            say("what was written last cannot be read; once more");
            return Ok(None);
        }
    }
    let served = switch.served.clone();
    let (records, rows) = replay.rows();
    match switch.commit(&rows, replay.positions()).await {
        Err(error) if db::is_about_data(&error) => {
            building.halve(&records).await.context(WHAT)?;
            say("the database refuses some of what was written last; once more");
            Ok(None)
        }
        switched => {
            switched.context("the database did not say whether the new tables are served; run it again")?;
            Ok(Some(served))
        }
    }
}
