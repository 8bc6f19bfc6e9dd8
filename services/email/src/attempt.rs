//! One attempt at one mail, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use service_kit::{Context, Counter, DeadLetters, JournalError, SinkRecord, failure_point};
use shared_schemas::{MAILS_SENT, MailDue, MailSent};
use streams::Timestamp;
use tokio::time::sleep;

use crate::db::{End, Entry};
use crate::options::Options;
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
    pub context: Context<Options>,
    pub transport: Arc<Transport>,
    pub dead_letters: DeadLetters,
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
    /// It went out, but the process stops before the others could be told: the next one tells them.
    Untold,
}

/// A record behind which the position may move, when what is left to do about it is done.
#[derive(Debug)]
pub struct Finished {
    pub entry: Entry,
    /// What is to be remembered of it, if anything is.
    pub end: Option<End>,
    /// What the others are to be told then, if anything.
    pub untold: Option<Box<Untold>>,
}

/// A mail went out, and nobody has been told yet.
#[derive(Debug)]
pub struct Untold {
    fact: MailSent,
    traceparent: Option<String>,
}

static SENT: Counter = Counter::new("email_mails_sent", "Mails that were taken by provider or server");
static RETRIED: Counter = Counter::new("email_mails_retried", "Attempts that failed for the time being");

const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A provider that says so often that it has a key has the mail: an attempt that was going on would have ended meanwhile,
/// with an answer of its own to repeat.
const ENOUGH_CONFLICTS: usize = 6;
/// Before the journal is tried again.
const JOURNAL_INTERVAL: Duration = Duration::from_secs(1);
/// What the readiness page calls what does not take what is told.
const TOLD: &str = "journal";

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

    /// What the others are to be told of it when it went out, in this trace.
    fn sent_in(self, traceparent: Option<&str>, at: Timestamp) -> Box<Untold> {
        let traceparent = traceparent.map(str::to_owned);
        let MailDue { idempotency_key, order_id, kind, subject, .. } = self.due;
        Box::new(Untold { fact: MailSent { idempotency_key, order_id, kind, subject, sent_at: at }, traceparent })
    }

    /// What the others are to be told of one that went out before.
    pub fn sent(self, at: Timestamp) -> Box<Untold> {
        let traceparent = self.record.traceparent().map(str::to_owned);
        self.sent_in(traceparent.as_deref(), at)
    }
}

impl Attempt {
    /// Sends a mail that is claimed. What will never be sent goes to the dead letters.
    pub async fn send(self, mut mail: Box<Mail>) -> anyhow::Result<Attempted> {
        let mut span = mail.record.calling("send mail");
        let outcome = self.transport.send(&mail.due).await;
        failure_point("after-send");
        mail.conflicts = if let Outcome::Known(_) = outcome { mail.conflicts + 1 } else { 0 };
        let outcome = match outcome {
            Outcome::Known(_) if mail.conflicts >= ENOUGH_CONFLICTS => Outcome::Sent,
            Outcome::Known(cause) => Outcome::Passing { cause, after: None },
            other => other,
        };
        if let Outcome::Lasting(cause) | Outcome::Passing { cause, .. } = &outcome {
            span.fail(cause);
        }
        let cause = match outcome {
            Outcome::Sent => {
                SENT.add(1);
                let (entry, at) = (mail.entry(), self.now());
                let untold = Some(mail.sent_in(span.traceparent(), at));
                return Ok(Attempted::Finished(Finished { entry, end: Some(End::Sent(at)), untold }));
            }
            Outcome::Lasting(cause) | Outcome::Known(cause) => cause,
            Outcome::Passing { cause, after } => {
                let retry_for = self.context.options().retry_for;
                if self.now() < mail.taken_at + retry_for {
                    let pause = mail.pauses.next().unwrap_or(LONGEST_PAUSE);
                    // Whatever the other side says: the time for this mail has an end.
                    let after = after.map_or(pause, |after| after.max(pause)).min(retry_for);
                    RETRIED.add(1);
                    let (mail_key, trace_id) = (&mail.due.idempotency_key, mail.record.trace_id());
                    tracing::info!(mail = mail_key, trace_id, cause, ?after, "a mail is tried again");
                    return Ok(Attempted::Again { mail, after });
                }
                format!("tried for {} s: {cause}", retry_for.as_secs())
            }
        };
        let Mail { record, due, .. } = *mail;
        self.put_aside(record, Some(due.idempotency_key), cause).await
    }

    /// Puts a record aside, of which the key is not known if it cannot be read.
    pub async fn put_aside(self, record: SinkRecord, key: Option<String>, cause: String) -> anyhow::Result<Attempted> {
        self.dead_letters.put(&record, &cause).await?;
        let end = key.is_some().then(|| End::Dead(self.now()));
        let entry = entry(&record, key.unwrap_or_default());
        Ok(Attempted::Finished(Finished { entry, end, untold: None }))
    }

    /// Tells the others that a mail went out, which the database knows by now. For as long as the journal takes nothing, the
    /// mail is open but not sent again.
    pub async fn tell(self, entry: Entry, untold: Box<Untold>) -> anyhow::Result<Attempted> {
        let (journal, stopping) = (self.context.journal(), self.context.stopping());
        let Untold { fact, traceparent } = *untold;
        failure_point("before-telling");
        loop {
            match journal.append(&MAILS_SENT, &fact, self.now(), traceparent.as_deref()).await {
                Ok(_) => break,
                Err(error @ JournalError::Unencodable(_)) => return Err(error.into()),
                Err(error) => {
                    self.context.awaiting(TOLD, format!("mails went out that nobody can be told of: {error}"))
                }
            }
            tokio::select! {
                () = stopping.cancelled() => return Ok(Attempted::Untold),
                () = sleep(JOURNAL_INTERVAL) => {}
            }
        }
        failure_point("after-telling");
        self.context.arrived(TOLD);
        Ok(Attempted::Finished(Finished { entry, end: None, untold: None }))
    }

    fn now(&self) -> Timestamp {
        (self.context.clock())()
    }
}

fn entry(record: &SinkRecord, key: String) -> Entry {
    Entry { key, source: record.source().clone(), offset: record.offset() }
}
