use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::consumer;

/// Reads a whole topic of so many records with nothing but polls, and returns how long it took from the first one on.
pub(crate) fn read_whole(bootstrap: &str, topic: &str, partitions: i32, records: usize) -> anyhow::Result<Duration> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let consumer = consumer(bootstrap, "reading")?;
    let mut beginning = TopicPartitionList::new();
    for partition in 0..partitions {
        beginning.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&beginning)?;
    let mut first_read = None;
    for number in 0..records {
        let message = consumer.poll(PATIENCE).with_context(|| format!("{topic} has no record {number}"))??;
        first_read.get_or_insert_with(Instant::now);
        black_box((message.key().and_then(<[u8]>::last), message.payload().and_then(<[u8]>::last)));
    }
    Ok(first_read.context("a topic with records")?.elapsed())
}
