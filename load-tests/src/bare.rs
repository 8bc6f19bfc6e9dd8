//! The ground the engine stands on: the client library alone, exactly once, in the order that was found to be fastest.
//! What is measured here is what the broker and the library allow; no hop can be better.

mod chain;
mod hop;
mod reading;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

pub(crate) use chain::Chain;
pub(crate) use hop::RunningHop;
pub(crate) use reading::read_whole;
pub(crate) use watch::{Seen, Watch};

/// How long one call to the broker may take.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A producer that counts what it hands over and what is acknowledged.
pub(crate) struct CountingProducer {
    pub(crate) client: BaseProducer<Deliveries>,
    deliveries: Deliveries,
    sent: u64,
}

#[derive(Clone, Default)]
pub(crate) struct Deliveries {
    acknowledged: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl CountingProducer {
    /// An idempotent producer.
    pub(crate) fn idempotent(bootstrap: &str) -> Result<Self, KafkaError> {
        Self::create(&idempotent(bootstrap))
    }

    /// A transactional producer, ready for its first transaction.
    pub(crate) fn transactional(bootstrap: &str, id: &str) -> Result<Self, KafkaError> {
        let producer = Self::create(idempotent(bootstrap).set("transactional.id", id))?;
        producer.client.init_transactions(Duration::from_secs(30))?;
        Ok(producer)
    }

    fn create(config: &ClientConfig) -> Result<Self, KafkaError> {
        let deliveries = Deliveries::default();
        Ok(Self { client: config.create_with_context(deliveries.clone())?, deliveries, sent: 0 })
    }

    pub(crate) fn send(&mut self, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<(), KafkaError> {
        while let Err((error, returned)) = self.client.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error);
            }
            self.client.poll(Duration::from_millis(1));
            record = returned;
        }
        self.sent += 1;
        Ok(())
    }

    /// Waits until nothing is in flight, without taking the processor from the broker.
    pub(crate) fn await_acknowledgements(&self) -> Result<(), KafkaError> {
        self.client.poll(Duration::ZERO);
        while self.deliveries.acknowledged.load(Ordering::Acquire) < self.sent {
            thread::sleep(Duration::from_micros(50));
            self.client.poll(Duration::ZERO);
        }
        match self.deliveries.failed.load(Ordering::Acquire) {
            0 => Ok(()),
            _ => Err(KafkaError::MessageProduction(RDKafkaErrorCode::Fail)),
        }
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.failed.fetch_add(u64::from(result.is_err()), Ordering::Release);
        self.acknowledged.fetch_add(1, Ordering::Release);
    }
}

/// Runs so many transactions of one record, one after the other.
pub(crate) fn transactions(bootstrap: &str, topic: &str, number: u32) -> Result<(), KafkaError> {
    let mut producer = CountingProducer::transactional(bootstrap, &format!("{topic}-warm-up"))?;
    for _ in 0..number {
        producer.client.begin_transaction()?;
        producer.send(BaseRecord::to(topic).partition(0).payload(&[0; 51]))?;
        producer.await_acknowledgements()?;
        producer.client.commit_transaction(CALL_TIMEOUT)?;
    }
    Ok(())
}

/// A consumer of committed records.
pub(crate) fn consumer(bootstrap: &str, group: &str) -> Result<BaseConsumer, KafkaError> {
    client(bootstrap)
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.queue.backoff.ms", "10")
        .create()
}

/// The partitions of a topic, from their beginnings on.
pub(crate) fn beginnings(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<TopicPartitionList> {
    let described = consumer.fetch_metadata(Some(topic), CALL_TIMEOUT)?;
    let mut beginnings = TopicPartitionList::new();
    for partition in described.topics().iter().flat_map(MetadataTopic::partitions) {
        beginnings.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    Ok(beginnings)
}

fn idempotent(bootstrap: &str) -> ClientConfig {
    let mut config = client(bootstrap);
    config.set("enable.idempotence", "true").set("acks", "all").set("linger.ms", "0");
    config
}

fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("socket.nagle.disable", "true");
    config
}
