use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};

use super::Deadline;
use crate::client_log::ClientLog;
use crate::poll::is_final;

/// Topic, as the broker knows it, and number.
pub(super) type Partition = (String, i32);

type Client = BaseConsumer<ClientLog>;

/// The ends of partitions without the markers of transactions there, past which no position ever moves: only so is the lag
/// of whoever has read everything 0. They are looked up by reading the last records, and only when something has come.
#[derive(Default)]
pub(super) struct Ends(Mutex<HashMap<Partition, End>>);

#[derive(Clone, Copy)]
struct End {
    /// With the markers (the last stable offset).
    stable: i64,
    behind_last_record: i64,
}

/// How far before the end the last record is looked for first; then so many times as far.
const STEP_BACK: i64 = 10;
/// Between two questions about a partition without a leader.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The first offset of each partition.
pub(super) fn beginnings(
    client: &Client,
    partitions: &[Partition],
    deadline: Deadline,
) -> KafkaResult<HashMap<Partition, i64>> {
    offsets(client, partitions, Offset::Beginning, deadline)
}

/// Where each partition ends for readers of what is committed.
pub(super) fn stable_ends(
    client: &Client,
    partitions: &[Partition],
    deadline: Deadline,
) -> KafkaResult<HashMap<Partition, i64>> {
    offsets(client, partitions, Offset::End, deadline)
}

/// Asked for all partitions at once, as if the names of the two ends were times: that is how the protocol has it
/// (`ListOffsets`), and the client library passes them on as they are.
fn offsets(
    client: &Client,
    partitions: &[Partition],
    of: Offset,
    deadline: Deadline,
) -> KafkaResult<HashMap<Partition, i64>> {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition};

    if partitions.is_empty() {
        return Ok(HashMap::new());
    }
    let mut asked = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        asked.add_partition_offset(topic, *partition, of)?;
    }
    let answered = loop {
        match client.offsets_for_times(asked.clone(), deadline.left()) {
            // A partition that is new or moves has its leader in a moment.
            Err(KafkaError::MetadataFetch(LeaderNotAvailable | NotLeaderForPartition)) if !deadline.is_over() => {
                thread::sleep(RETRY_INTERVAL);
            }
            answered => break answered?,
        }
    };
    let offset = |element: &TopicPartitionListElem<'_>| {
        element.error()?;
        match element.offset() {
            Offset::Offset(offset) => Ok(((element.topic().to_string(), element.partition()), offset)),
            _ => Err(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset)),
        }
    };
    answered.elements().iter().map(offset).collect()
}

impl Ends {
    /// The offset behind the last record of each partition.
    pub(super) fn of(
        &self,
        client: &Client,
        reader: &Client,
        partitions: &[Partition],
        deadline: Deadline,
    ) -> KafkaResult<HashMap<Partition, i64>> {
        let stable = stable_ends(client, partitions, deadline)?;
        let news: Vec<Partition> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let is_news = |at: &&Partition| known.get(*at).map(|end| end.stable) != stable.get(*at).copied();
            partitions.iter().filter(is_news).cloned().collect()
        };
        let first = beginnings(client, &news, deadline)?;
        let mut by_topic: BTreeMap<&str, Vec<Unread>> = BTreeMap::new();
        for at in &news {
            let (Some(first), Some(end)) = (first.get(at), stable.get(at)) else { continue };
            by_topic.entry(&at.0).or_default().push(Unread { partition: at.1, first: *first, end: *end });
        }
        for (topic, unread) in by_topic {
            let behind = behind_last_records(reader, topic, unread, deadline)?;
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (partition, behind_last_record) in behind {
                let at = (topic.to_string(), partition);
                if let Some(stable) = stable.get(&at) {
                    known.insert(at, End { stable: *stable, behind_last_record });
                }
            }
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = |at: &Partition| Some((at.clone(), known.get(at)?.behind_last_record));
        Ok(partitions.iter().filter_map(end).collect())
    }
}

struct Unread {
    partition: i32,
    first: i64,
    end: i64,
}

/// For the partitions of one topic, since the news that a partition has been read to its end do not name the topic.
fn behind_last_records(
    reader: &Client,
    topic: &str,
    mut unread: Vec<Unread>,
    deadline: Deadline,
) -> KafkaResult<HashMap<i32, i64>> {
    let mut found = HashMap::new();
    let mut step = STEP_BACK;
    while !unread.is_empty() {
        let from = |it: &Unread| it.first.max(it.end - step);
        let mut place = TopicPartitionList::new();
        for it in unread.iter().filter(|it| it.first < it.end) {
            place.add_partition_offset(topic, it.partition, Offset::Offset(from(it)))?;
        }
        let ends = unread.iter().filter(|it| it.first < it.end).map(|it| (it.partition, it.end)).collect();
        found.extend(last_records(reader, topic, &place, ends, deadline)?);
        // Where even the beginning was looked at there are none at all.
        for it in unread.iter().filter(|it| from(it) == it.first) {
            found.entry(it.partition).or_insert(it.first);
        }
        unread.retain(|it| !found.contains_key(&it.partition));
        step = step.saturating_mul(STEP_BACK);
    }
    Ok(found)
}

/// Reads partitions from these places to their ends; gives the offsets behind the last record of those that have any.
fn last_records(
    reader: &Client,
    topic: &str,
    place: &TopicPartitionList,
    mut ends: HashMap<i32, i64>,
    deadline: Deadline,
) -> KafkaResult<HashMap<i32, i64>> {
    let mut behind = HashMap::new();
    reader.assign(place)?;
    while !ends.is_empty() {
        match reader.poll(deadline.left().min(Duration::from_millis(100))) {
            Some(Ok(message)) if message.topic() == topic => {
                let Some(end) = ends.get(&message.partition()).copied() else { continue };
                if message.offset() < end {
                    behind.insert(message.partition(), message.offset() + 1);
                }
                if message.offset() + 1 >= end {
                    ends.remove(&message.partition());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ends.remove(&partition)),
            Some(Err(error)) if is_final(&error) => return Err(error),
            // Passing trouble with the connection, which the client mends.
            Some(_) | None if deadline.is_over() => {
                return Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut));
            }
            Some(_) | None => {}
        }
    }
    Ok(behind)
}
