use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use streams::TopicDeclaration;

use super::TopicPartition;
use crate::Settings;
use crate::bootstrap::behind_last_record;
use crate::client_log::ClientLog;

const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The part of each partition that holds committed records, as it is now.
pub(super) fn extents(
    settings: &Settings,
    topics: &[TopicDeclaration],
) -> Result<BTreeMap<TopicPartition, Range<i64>>, KafkaError> {
    let client: BaseConsumer<ClientLog> = settings.reader("read_committed").create_with_context(ClientLog::default())?;
    let mut extents = BTreeMap::new();
    for topic in topics {
        let on_broker = settings.topic(&topic.name);
        for partition in 0..topic.partitions {
            let (first, _) = client.fetch_watermarks(&on_broker, partition, CALL_TIMEOUT)?;
            let end = behind_last_record(&client, &on_broker, partition)?;
            if end > first {
                extents.insert(TopicPartition { topic: topic.name.as_str().into(), partition }, first..end);
            }
        }
    }
    Ok(extents)
}

/// The offset that the next record of each partition will have, whatever was before it (Kafka's log end offset).
pub(super) fn log_ends(
    settings: &Settings,
    topics: &[TopicDeclaration],
) -> Result<BTreeMap<TopicPartition, i64>, KafkaError> {
    let client: BaseConsumer<ClientLog> =
        settings.reader("read_uncommitted").create_with_context(ClientLog::default())?;
    let mut ends = BTreeMap::new();
    for topic in topics {
        for partition in 0..topic.partitions {
            let (_, end) = client.fetch_watermarks(&settings.topic(&topic.name), partition, CALL_TIMEOUT)?;
            ends.insert(TopicPartition { topic: topic.name.as_str().into(), partition }, end);
        }
    }
    Ok(ends)
}
