use std::pin::pin;

use avro_codec::AvroRecord;
use streams::Topic;
use streams_kafka::{Journal, JournalError, ViewError};
use tokio::time::{sleep, timeout};

use crate::http::{BlockingRead, Call, IdempotencyKey, Problem, RETRY_AFTER};
use crate::view::View;
use crate::world;

/// The front of a service that journals each command before it decides on it (command sourcing: "Designing Event-Driven
/// Systems", chapter 7), and answers when the decision is committed.
///
/// The client of a command that was journaled may go, and the service may die: the topology decides all the same. So a
/// command has a key, under which the store has what became of it, and under which it is repeated.
#[derive(Debug)]
pub struct Gateway<C: 'static, S> {
    service: &'static str,
    journal: Journal,
    commands: &'static Topic<C>,
    decisions: View<S>,
}

impl<C: AvroRecord, S: AvroRecord> Gateway<C, S> {
    pub(crate) fn new(
        service: &'static str,
        journal: Journal,
        commands: &'static Topic<C>,
        decisions: View<S>,
    ) -> Self {
        Self { service, journal, commands, decisions }
    }

    /// The id of what a command makes, where the client gives none: derived from its key (a UUIDv5, always the same within
    /// this service), else one that nobody else has (a UUIDv7).
    pub fn id_for(&self, IdempotencyKey(key): IdempotencyKey) -> String {
        key.map_or_else(world::new_id, |key| world::derived_id(self.service, &key))
    }

    /// An id that nobody else has, for a command that has to be told from others with the same key.
    pub fn new_id(&self) -> String {
        world::new_id()
    }

    /// Journals a command, and waits until `decided` finds the decision in what the store has under the command's key.
    ///
    /// Nothing, if the client does not want to wait or its time is up: then the answer is 202. The time begins now, but a
    /// command is journaled however little of it there is.
    ///
    /// # Errors
    /// 503, with the key as `id`: the journal does not answer, and the command may be in it or not.
    pub async fn submit<R>(
        &self,
        call: &Call,
        command: &C,
        decided: impl FnMut(S) -> Option<R>,
    ) -> Result<Option<R>, Problem> {
        let mut time_is_up = pin!(sleep(call.timeout.duration()));
        let key = self.commands.key(command);
        self.append(call, &key, command).await?;
        if call.responds_async {
            return Ok(None);
        }
        tokio::select! {
            biased;
            decision = self.decisions.wait_for(&key, decided) => decision.map(Some).map_err(Problem::internal),
            () = time_is_up.as_mut() => Ok(None),
        }
    }

    /// Answers a blocking read of a decision, as [`View::read`] does.
    ///
    /// # Errors
    /// Likewise.
    pub async fn read<R>(&self, read: &BlockingRead, choose: impl FnMut(S) -> Option<R>) -> Result<R, Problem> {
        self.decisions.read(read, choose).await
    }

    async fn append(&self, call: &Call, key: &str, command: &C) -> Result<(), Problem> {
        let traceparent = call.trace.traceparent();
        match self.journal.append(self.commands, command, call.received_at, Some(&traceparent)).await {
            Ok(_) => Ok(()),
            Err(JournalError::NotAcknowledged(error)) => {
                tracing::warn!(key, %error, "the journal does not answer");
                let detail =
                    "The request is not known to be journaled. Repeat it under the same id: it will not be doubled.";
                Err(Problem::unavailable(detail, RETRY_AFTER).with("id", key))
            }
            Err(error) => Err(Problem::internal(error)),
        }
    }
}

impl<S: AvroRecord> View<S> {
    /// Answers a blocking read: what `choose` makes of the value under the id, as soon as it makes something of it.
    ///
    /// # Errors
    /// 504: there was nothing in time. 404: there is nothing, and the client does not wait. 503: it does not wait, and
    /// nobody serves the id at the moment.
    pub async fn read<R>(&self, read: &BlockingRead, mut choose: impl FnMut(S) -> Option<R>) -> Result<R, Problem> {
        let (key, within) = (&read.id, read.timeout.duration());
        let found = if within.is_zero() {
            let found = self.get(key).await.map(|value| value.and_then(choose));
            found.transpose().ok_or_else(|| Problem::not_found("There is nothing to show of this yet."))?
        } else {
            let found = timeout(within, self.wait_for(key, &mut choose)).await;
            found.map_err(|_| Problem::timed_out("There was nothing to show of this in time."))?
        };
        found.map_err(|error| match error {
            ViewError::NotServed => Problem::unavailable("The partition is changing hands.", RETRY_AFTER),
            error => Problem::internal(error),
        })
    }
}

// Derived, it would ask commands and decisions to be Clone, which nobody needs.
impl<C, S> Clone for Gateway<C, S> {
    fn clone(&self) -> Self {
        let Self { service, journal, commands, decisions } = self;
        Self { service, journal: journal.clone(), commands, decisions: decisions.clone() }
    }
}
