use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use streams::TaskId;

use crate::Settings;
use crate::clock::Stopwatch;
use crate::epoch::Epoch;

/// Knows which tasks have read what was there, when they were assigned, in the inputs that come before the others.
#[derive(Default)]
pub(crate) enum Bootstrap {
    #[default]
    Unknown,
    /// The broker did not answer; it is asked again in a while.
    Unanswered(Stopwatch),
    Asked(Receiver<Result<Ends, KafkaError>>),
    Known(Ends),
}

/// For each task the offset behind the last record of each input that comes first.
type Ends = HashMap<TaskId, Vec<(String, i64)>>;

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
            Self::Unknown | Self::Unanswered(_) => *self = ask(epoch),
            Self::Asked(answer) => match answer.try_recv() {
                Ok(Ok(ends)) => *self = Self::Known(ends),
                Err(TryRecvError::Empty) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "inputs wait: how much there is to be read before them cannot be found out");
                    *self = Self::Unanswered(Stopwatch::start());
                }
                Err(TryRecvError::Disconnected) => *self = Self::Unanswered(Stopwatch::start()),
            },
            Self::Known(ends) => {
                for (id, assigned) in epoch.tasks.iter_mut().filter(|(_, assigned)| assigned.is_ready()) {
                    let has_read = |(first, end): &(String, i64)| {
                        assigned.inputs().any(|(topic, next)| topic == first && next >= *end)
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

/// Asks from a thread and a connection of its own: on the consumer's, every question would wait behind a fetch.
fn ask(epoch: &Epoch) -> Bootstrap {
    let settings = epoch.settings.clone();
    let first = epoch.tasks.iter().filter(|(_, assigned)| assigned.is_bootstrapping()).map(|(id, assigned)| {
        let first = assigned.inputs().map(|(topic, _)| topic).filter(|topic| !epoch.graph.is_held_back(topic));
        (*id, first.map(str::to_string).collect())
    });
    let first: Vec<(TaskId, Vec<String>)> = first.collect();
    let (sender, receiver) = sync_channel(1);
    let asked = thread::Builder::new().name("bootstrap-ends".to_string()).spawn(move || {
        // Whoever asked may have lost interest.
        let _ = sender.send(ends(&settings, first));
    });
    asked.map_or(Bootstrap::Unknown, |_| Bootstrap::Asked(receiver))
}

fn ends(settings: &Settings, inputs: Vec<(TaskId, Vec<String>)>) -> Result<Ends, KafkaError> {
    let client: BaseConsumer = settings.reader("read_committed").create()?;
    let mut ends = Ends::new();
    for (id, topics) in inputs {
        for topic in topics {
            let end = behind_last_record(&client, &settings.topic(&topic), id.partition)?;
            ends.entry(id).or_default().push((topic, end));
        }
    }
    Ok(ends)
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
