use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;

use crate::clock::wall_clock;
use crate::membership::Membership;
use crate::producer::Failure;

/// Most records of one poll; what they say is on its way before the next.
const MAX_POLL_RECORDS: usize = 1000;
/// Most bytes of one poll.
const MAX_POLL_BYTES: usize = 16 * 1024 * 1024;

/// A bounded batch, and whether it left nothing behind. Partitions may come and go inside a poll: what was read before that
/// is read again.
pub(crate) fn poll(
    consumer: &BaseConsumer<Membership>,
    at_most: Duration,
) -> Result<(Vec<BorrowedMessage<'_>>, bool), Failure> {
    let membership = consumer.context();
    let mut patience = membership.epoch().patience(wall_clock(), at_most);
    let mut batch = Vec::new();
    let mut generation = membership.generation();
    let mut bytes = 0;
    let mut reports = membership.reports();
    while batch.len() < MAX_POLL_RECORDS && bytes < MAX_POLL_BYTES {
        let polled = consumer.poll(patience);
        if let Some(failure) = membership.take_trouble() {
            return Err(failure);
        }
        if membership.generation() != generation {
            generation = membership.generation();
            batch.clear();
        }
        match polled {
            // What ended the poll was a report; there may be records behind it.
            None if membership.reports() != reports => reports = membership.reports(),
            None => return Ok((batch, true)),
            Some(Ok(message)) => {
                bytes += message.payload_len();
                batch.push(message);
            }
            Some(Err(error)) => heed(membership, error)?,
        }
        patience = Duration::ZERO;
    }
    Ok((batch, false))
}

/// Most errors of a poll are news of connections that the client mends.
fn heed(membership: &Membership, error: KafkaError) -> Result<(), Failure> {
    if is_final(&error) {
        return Err(Failure::Stop(error));
    }
    if !matches!(error, KafkaError::PartitionEOF(_)) {
        membership.report(&error);
    }
    Ok(())
}

/// Whether the client cannot go on after an error of a poll.
pub(crate) fn is_final(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageConsumptionFatal(_)
            | KafkaError::MessageConsumption(
                RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::BadCompression
                    | RDKafkaErrorCode::BadMessage
                    | RDKafkaErrorCode::NotImplemented
                    | RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed,
            )
    )
}
