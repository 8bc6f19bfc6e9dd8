use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{CALL_TIMEOUT, CountingProducer, consumer};

/// Copies one topic to another, exactly once, on a thread of its own, until it is stopped.
pub(crate) struct RunningHop {
    thread: JoinHandle<anyhow::Result<()>>,
    is_stopping: Arc<AtomicBool>,
}

struct Hop {
    consumer: BaseConsumer,
    producer: CountingProducer,
    from: String,
    to: String,
}

/// As many records as the engine takes into one epoch.
const MOST_RECORDS: usize = 1000;

impl RunningHop {
    /// Starts copying `from` to `to` as the consumer group `group`.
    pub(crate) fn start(bootstrap: &str, group: &str, from: &str, to: &str) -> anyhow::Result<Self> {
        let consumer = consumer(bootstrap, group)?;
        consumer.subscribe(&[from])?;
        let producer = CountingProducer::transactional(bootstrap, group)?;
        let mut hop = Hop { consumer, producer, from: from.to_string(), to: to.to_string() };
        let is_stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_stopping);
        let thread = thread::Builder::new().name(group.to_string()).spawn(move || {
            while !stop.load(Ordering::Acquire) {
                hop.turn()?;
            }
            Ok(())
        })?;
        Ok(Self { thread, is_stopping })
    }

    /// Ends it, and tells what went wrong, if anything did.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.is_stopping.store(true, Ordering::Release);
        self.thread.join().map_err(|_| anyhow::Error::msg("a bare hop panicked"))?.context("a bare hop ended")
    }
}

impl Hop {
    /// One transaction: everything that is there, each record sent as soon as it is read; acknowledgements, then offsets,
    /// then the commit.
    fn turn(&mut self) -> anyhow::Result<()> {
        let mut patience = Duration::from_millis(100);
        let mut next = BTreeMap::new();
        for _ in 0..MOST_RECORDS {
            let Some(message) = self.consumer.poll(patience) else { break };
            let message = message?;
            if next.is_empty() {
                self.producer.client.begin_transaction()?;
            }
            next.insert(message.partition(), message.offset() + 1);
            let mut copy = BaseRecord::<[u8], [u8]>::to(&self.to).partition(message.partition());
            (copy.key, copy.payload) = (message.key(), message.payload());
            self.producer.send(copy)?;
            patience = Duration::ZERO;
        }
        if next.is_empty() {
            return Ok(());
        }
        let mut positions = TopicPartitionList::new();
        for (partition, offset) in next {
            positions.add_partition_offset(&self.from, partition, Offset::Offset(offset))?;
        }
        let group = self.consumer.group_metadata().context("a consumer with a group")?;
        self.producer.await_acknowledgements()?;
        self.producer.client.send_offsets_to_transaction(&positions, &group, CALL_TIMEOUT)?;
        self.producer.client.commit_transaction(CALL_TIMEOUT)?;
        Ok(())
    }
}
