//! Takes what happens out of the log, and writes it to the tables.
//!
//! Rows and positions become true in one transaction, which moves each position from where this instance believes it to be.
//! If it is elsewhere, or anything else fails, nothing was written, or all of it: the positions are asked for again, and
//! reading begins there. So no event counts twice, whoever else writes, and however late.
//!
//! While one batch is written the next gathers, so that batches are as large as they have to be.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use service_kit::{Context, Counter, DeadLetters, Sink, SinkEvent, SinkRecord, TopicPartition};
use tokio::time::{sleep, timeout};

use crate::db::{Db, Move, OTHER_LAYOUT, Trouble};
use crate::domain::Rows;
use crate::log::Reader;
use crate::options::Options;

/// What the readiness page calls what the projector waits for.
const DATABASE: &str = "database";

/// Records of a batch, beyond which no more are gathered.
const ENOUGH_RECORDS: usize = 10_000;
/// Their bytes likewise.
const ENOUGH_BYTES: usize = 16 * 1024 * 1024;
/// One to write, and one more for whoever comes while a connection is being closed.
const CONNECTIONS: u32 = 2;
/// How long the database may take for a batch.
const DATABASE_PATIENCE: Duration = Duration::from_secs(15);
/// Before the database is tried again.
const DATABASE_INTERVAL: Duration = Duration::from_secs(1);

static EVENTS: Counter = Counter::new("views_events", "Events that are in the tables");
static BATCHES: Counter = Counter::new("views_batches", "Transactions in which events were written");
static CONFLICTS: Counter =
    Counter::new("views_conflicts", "Transactions that were undone because somebody else had moved a position");

/// Writes until the process stops; it is not ready before the database has answered and its tables fit.
pub fn start(context: Context<Options>) -> impl Future<Output = anyhow::Result<()>> + Send {
    context.awaiting(DATABASE, "the database has not answered yet");
    run(context)
}

async fn run(context: Context<Options>) -> anyhow::Result<()> {
    let stopping = context.stopping();
    let mut projector = Projector::new(context)?;
    // A transaction that is cut off comes to nothing, or was committed: the next process finds out.
    tokio::select! {
        () = stopping.cancelled() => Ok(()),
        Err(error) = projector.work() => Err(error),
    }
}
