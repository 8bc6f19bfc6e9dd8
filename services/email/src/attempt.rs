//! One attempt at one mail, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use service_kit::{Clock, Counter, DeadLetters, SinkRecord, failure_point};
use shared_schemas::MailDue;
use streams::Timestamp;

use crate::db::{End, Entry};
use crate::transport::{Outcome, Transport};

/// A mail that is to be sent, and how often it failed.
#[derive(Debug)]
pub struct Mail {
    record: SinkRecord,
    due: MailDue,
    taken_at: Timestamp,
    pauses: ExponentialBackoff,
    /// How often in a row the provider has said that it has the key.
    conflicts: usize,
}

/// What an attempt needs besides the mail.
#[derive(Debug)]
pub struct Attempt {
    pub transport: Arc<Transport>,
    pub dead_letters: DeadLetters,
    pub clock: Clock,
    pub retry_for: Duration,
}

/// What came of it.
#[derive(Debug)]
pub enum Attempted {
    Finished(Finished),
    /// To be tried again.
    Again {
        mail: Box<Mail>,
        after: Duration,
    },
}

/// A record behind which the position may move.
#[derive(Debug)]
pub struct Finished {
    pub entry: Entry,
    /// What is to be remembered of it, if anything is.
    pub end: Option<End>,
}

static SENT: Counter = Counter::new("email_mails_sent", "Mails that were taken by provider or server");
static RETRIED: Counter = Counter::new("email_mails_retried", "Attempts that failed for the time being");

const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A provider that says so often that it has a key has the mail: an attempt that was going on would have ended meanwhile,
/// with an answer of its own to repeat.
const ENOUGH_CONFLICTS: usize = 6;

impl Mail {
    pub fn new(record: SinkRecord, due: MailDue, now: Timestamp) -> Self {
        let pauses = ExponentialBuilder::default().with_min_delay(SHORTEST_PAUSE).with_max_delay(LONGEST_PAUSE);
        let pauses = pauses.with_jitter().without_max_times().build();
        Self { record, due, taken_at: now, pauses, conflicts: 0 }
    }

    /// Where it stands in the outbox.
    pub fn entry(&self) -> Entry {
        entry(&self.record, self.due.idempotency_key.clone())
    }
}

impl Attempt {
    /// Sends a mail that is claimed. What will never be sent goes to the dead letters.
    pub async fn send(self, mut mail: Box<Mail>) -> anyhow::Result<Attempted> {
        let outcome = self.transport.send(&mail.due).await;
        failure_point("after-send");
        mail.conflicts = if let Outcome::Known(_) = outcome { mail.conflicts + 1 } else { 0 };
        let outcome = match outcome {
            Outcome::Known(_) if mail.conflicts >= ENOUGH_CONFLICTS => Outcome::Sent,
            Outcome::Known(cause) => Outcome::Passing { cause, after: None },
            other => other,
        };
        let cause = match outcome {
            Outcome::Sent => {
                SENT.add(1);
                return Ok(Attempted::Finished(Finished { entry: mail.entry(), end: Some(End::Sent) }));
            }
            Outcome::Lasting(cause) | Outcome::Known(cause) => cause,
            Outcome::Passing { cause, after } => {
                if (self.clock)() < mail.taken_at + self.retry_for {
                    let pause = mail.pauses.next().unwrap_or(LONGEST_PAUSE);
                    // Whatever the other side says: the time for this mail has an end.
                    let after = after.map_or(pause, |after| after.max(pause)).min(self.retry_for);
                    RETRIED.add(1);
                    tracing::info!(mail = mail.due.idempotency_key, cause, ?after, "a mail is tried again");
                    return Ok(Attempted::Again { mail, after });
                }
                format!("tried for {} s: {cause}", self.retry_for.as_secs())
            }
        };
        let Mail { record, due, .. } = *mail;
        self.put_aside(record, Some(due.idempotency_key), cause).await
    }

    /// Puts a record aside, of which the key is not known if it cannot be read.
    pub async fn put_aside(self, record: SinkRecord, key: Option<String>, cause: String) -> anyhow::Result<Attempted> {
        self.dead_letters.put(&record, &cause).await?;
        let end = key.is_some().then_some(End::Dead);
        Ok(Attempted::Finished(Finished { entry: entry(&record, key.unwrap_or_default()), end }))
    }
}

fn entry(record: &SinkRecord, key: String) -> Entry {
    Entry { key, source: record.source().clone(), offset: record.offset() }
}
