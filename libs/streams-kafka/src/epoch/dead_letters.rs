use opentelemetry::KeyValue;
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;
use streams::{GivenUp, Refusal, Timestamp};

use super::Epoch;
use crate::headers::{TRACEPARENT, header};
use crate::outgoing::{dead_letter, given_up_letter};
use crate::producer::Failure;
use crate::spans::trace_id;

impl Epoch {
    /// Puts a record aside that cannot be handled, unless it is the store that cannot.
    pub(super) fn refuse(
        &mut self,
        message: &BorrowedMessage<'_>,
        refusal: Refusal,
        now: Timestamp,
    ) -> Result<(), Failure> {
        if let Refusal::Broken(error) = refusal {
            return Err(Failure::Broken(error));
        }
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let trace_id = header(message, TRACEPARENT).and_then(trace_id);
        tracing::warn!(topic, partition, offset, trace_id, %refusal, "a record goes to the dead letters");
        self.spans.refused(&refusal);
        self.count_dead_letter(&refusal);
        self.producer.send(dead_letter(&self.names.dead_letters, message, &refusal, now))
    }

    /// Puts aside what the service itself has given up: records that follow from a record of an input, or from a timer.
    pub(super) fn put_aside(
        &mut self,
        given_up: &[GivenUp],
        source: Option<&BorrowedMessage<'_>>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        for letter in given_up {
            let GivenUp { key, cause, trace, .. } = letter;
            let trace_id = trace.as_ref().and_then(|trace| trace_id(trace.as_str()));
            tracing::warn!(key, trace_id, %cause, "a record is given up and goes to the dead letters");
            self.count_dead_letter(cause);
            self.producer.send(given_up_letter(&self.names.dead_letters, source, letter, now))?;
        }
        Ok(())
    }

    fn count_dead_letter(&mut self, cause: &Refusal) {
        let labels = [self.metrics.labels[0].clone(), KeyValue::new("cause", cause.kind())];
        self.metrics.dead_letters.add(1, &labels);
        self.progress.is_awaited = true;
    }
}
