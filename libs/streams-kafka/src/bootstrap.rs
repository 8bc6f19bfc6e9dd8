use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use streams::TaskId;

use crate::clock::Stopwatch;
use crate::epoch::Epoch;
use crate::question::{Offsets, Question};

/// Knows which tasks have read what was there, when they were assigned, in the inputs that come before the others.
#[derive(Default)]
pub(crate) enum Bootstrap {
    #[default]
    Unknown,
    /// The broker did not answer; it is asked again in a while.
    Unanswered(Stopwatch),
    Asked(Question),
    /// Behind the last record of each input that comes first.
    Known(Offsets),
}

const CALL_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How far before the end of a partition its last record is looked for, at first.
const FIRST_STEP_BACK: i64 = 16;

impl Bootstrap {
    /// Whether there is more to be expected soon.
    pub(crate) fn is_under_way(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Releases the inputs that need not wait any longer: by task and topic.
    pub(crate) fn turn(&mut self, epoch: &mut Epoch) -> BTreeSet<(TaskId, String)> {
        let mut released = BTreeSet::new();
        if !epoch.tasks.values().any(|assigned| assigned.is_ready() && assigned.is_bootstrapping()) {
            *self = Self::Unknown;
            return released;
        }
        match self {
            Self::Unanswered(since) if since.elapsed() < RETRY_INTERVAL => {}
            Self::Unknown | Self::Unanswered(_) => *self = Self::Asked(ask(epoch)),
            Self::Asked(question) => match question.answer() {
                None => {}
                Some(Ok(ends)) => *self = Self::Known(ends),
                Some(Err(error)) => {
                    tracing::warn!(%error, "inputs wait: how much there is to be read before them cannot be found out");
                    *self = Self::Unanswered(Stopwatch::start());
                }
            },
            Self::Known(ends) => {
                let settings = &epoch.settings;
                for (id, assigned) in epoch.tasks.iter_mut().filter(|(_, assigned)| assigned.is_ready()) {
                    let has_read = |(first, end): &(String, i64)| {
                        assigned.inputs().any(|(topic, next)| settings.topic(topic) == *first && next >= *end)
                    };
                    if ends.get(id).is_some_and(|ends| ends.iter().all(has_read)) {
                        released.extend(assigned.end_bootstrap().into_iter().map(|topic| (*id, topic)));
                    }
                }
            }
        }
        released
    }
}

fn ask(epoch: &Epoch) -> Question {
    let bootstrapping = epoch.tasks.iter().filter(|(_, assigned)| assigned.is_bootstrapping());
    let first = bootstrapping.flat_map(|(id, assigned)| {
        let topics = assigned.inputs().map(|(topic, _)| topic).filter(|topic| !epoch.graph.is_held_back(topic));
        topics.map(|topic| (*id, epoch.settings.topic(topic)))
    });
    Question::ask(&epoch.settings, first.collect(), behind_last_record)
}

/// The end of a partition without the markers of transactions there, past which no position ever moves.
pub(crate) fn behind_last_record<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Result<i64, KafkaError> {
    let (low, end) = client.fetch_watermarks(topic, partition, CALL_TIMEOUT)?;
    let mut step = FIRST_STEP_BACK;
    loop {
        let from = low.max(end - step);
        if let Some(last) = last_record(client, topic, partition, from, end)? {
            return Ok(last + 1);
        }
        if from == low {
            return Ok(low);
        }
        step = step.saturating_mul(FIRST_STEP_BACK);
    }
}

/// The offset of the last record in a part of a partition, if there is one.
fn last_record<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    from: i64,
    end: i64,
) -> Result<Option<i64>, KafkaError> {
    if from == end {
        return Ok(None);
    }
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, partition, Offset::Offset(from))?;
    client.assign(&place)?;
    let (mut last, mut since_progress) = (None, Stopwatch::start());
    while since_progress.elapsed() < CALL_TIMEOUT {
        match client.poll(Duration::from_millis(100)) {
            Some(Ok(message)) if message.offset() < end => {
                last = Some(message.offset());
                since_progress = Stopwatch::start();
                if message.offset() + 1 == end {
                    return Ok(last);
                }
            }
            Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(last),
            // Passing trouble with the connection, which the client mends.
            Some(Err(_)) | None => {}
        }
    }
    Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut))
}
