use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};

use crate::{RawRecord, eventually_blocking};

/// A broker as any client sees it. All calls block.
#[derive(Clone)]
pub struct Broker {
    bootstrap: String,
    /// Kept after the first write: an idempotent producer takes half a second to be given its id.
    producer: Arc<Mutex<Option<BaseProducer<Acknowledged>>>>,
}

/// A transaction that nobody ends ([`Broker::hold_open`]).
pub struct OpenTransaction(BaseProducer<Acknowledged>);

/// How long the broker may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

impl Broker {
    /// The broker at `host:port`.
    pub fn at(bootstrap: &str) -> Self {
        Self { bootstrap: bootstrap.into(), producer: Arc::default() }
    }

    /// Creates a topic with settings such as `("cleanup.policy", "compact")`, and waits until it can be used.
    ///
    /// # Errors
    /// If the broker refuses, or does not answer within 30 s.
    pub fn create_topic(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        let results = block_on(admin.create_topics([&new], &options))?;
        for result in results {
            result.map_err(|(topic, code)| anyhow::anyhow!("cannot create {topic}: {code}"))?;
        }
        let count = usize::try_from(partitions)?;
        let consumer: BaseConsumer = self.client().create()?;
        eventually_blocking("the new topic has leaders", PATIENCE, || {
            let leaders = leaders(&consumer, topic).ok()?;
            (leaders.len() == count).then_some(())
        });
        Ok(())
    }

    /// Changes settings of a topic, such as `("max.message.bytes", "1000")`.
    ///
    /// # Errors
    /// If the broker refuses, or does not answer within 30 s.
    pub fn alter_topic(&self, topic: &str, settings: &[(&str, &str)]) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let altered = AlterConfig::new(ResourceSpecifier::Topic(topic));
        let altered = settings.iter().fold(altered, |altered, (name, value)| altered.set(name, value));
        let results = block_on(admin.alter_configs([&altered], &AdminOptions::new().request_timeout(Some(PATIENCE))))?;
        for result in results {
            result.map_err(|(_, code)| anyhow::anyhow!("cannot alter {topic}: {code}"))?;
        }
        Ok(())
    }

    /// Deletes a topic.
    ///
    /// # Errors
    /// If the broker refuses, or does not answer within 30 s.
    pub fn delete_topic(&self, topic: &str) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        for result in block_on(admin.delete_topics(&[topic], &options))? {
            result.map_err(|(_, code)| anyhow::anyhow!("cannot delete {topic}: {code}"))?;
        }
        let consumer: BaseConsumer = self.client().create()?;
        eventually_blocking("the deleted topic is gone", PATIENCE, || {
            leaders(&consumer, topic).is_ok_and(|leaders| leaders.is_empty()).then_some(())
        });
        Ok(())
    }

    /// Deletes all records of a topic, which only one with `cleanup.policy` delete allows; their offsets are not used again.
    ///
    /// # Errors
    /// If the broker refuses, or does not answer within 30 s.
    pub fn delete_records(&self, topic: &str) -> anyhow::Result<()> {
        let consumer: BaseConsumer = self.client().create()?;
        let mut before = TopicPartitionList::new();
        for partition in leaders(&consumer, topic)? {
            before.add_partition_offset(topic, partition, Offset::End)?;
        }
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        for element in block_on(admin.delete_records(&before, &options))?.elements() {
            element.error().with_context(|| format!("cannot delete the records of {topic}"))?;
        }
        Ok(())
    }

    /// Deletes a consumer group with its committed offsets.
    ///
    /// # Errors
    /// If it still has members, or the broker does not answer within 30 s.
    pub fn delete_group(&self, group: &str) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        for result in block_on(admin.delete_groups(&[group], &options))? {
            result.map_err(|(_, code)| anyhow::anyhow!("cannot delete the group {group}: {code}"))?;
        }
        Ok(())
    }

    /// All committed records of a topic up to its end as it is now, partition by partition, each in its order. Waits for the
    /// transactions that are under way: the broker lets readers see a commit a moment later than it tells the producer.
    ///
    /// # Errors
    /// If there is no such topic, or its end is not reached within 30 s.
    pub fn read_all(&self, topic: &str) -> anyhow::Result<Vec<RawRecord>> {
        let reader = |isolation| -> Result<BaseConsumer, KafkaError> {
            let mut config = self.client();
            config.set("group.id", "test-kit").set("enable.auto.commit", "false");
            // What is there is wanted, not what may come.
            config.set("fetch.wait.max.ms", "10");
            config.set("isolation.level", isolation).set("enable.partition.eof", "true").create()
        };
        let (consumer, uncommitted) = (reader("read_committed")?, reader("read_uncommitted")?);
        let partitions = leaders(&consumer, topic)?;
        ensure!(!partitions.is_empty(), "there is no topic {topic}");

        // Under read_committed the upper watermark is the last stable offset: where the first open transaction begins.
        let mut ends = BTreeMap::new();
        let mut assignment = TopicPartitionList::new();
        for partition in partitions {
            let (_, end_of_all) = uncommitted.fetch_watermarks(topic, partition, PATIENCE)?;
            let (beginning, end) = watermarks(&consumer, topic, partition, end_of_all)?;
            if beginning < end {
                ends.insert(partition, end);
                assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
            }
        }
        consumer.assign(&assignment)?;
        let mut records = read_to(&consumer, ends).with_context(|| format!("reading {topic}"))?;
        records.sort_by_key(|record| (record.partition, record.offset));
        Ok(records)
    }

    /// Writes records and returns them with partition and offset, in the same order, once they are acknowledged.
    ///
    /// # Errors
    /// If one of them is not.
    pub fn write(&self, topic: &str, records: impl IntoIterator<Item = RawRecord>) -> anyhow::Result<Vec<RawRecord>> {
        let mut kept = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let producer = match kept.take() {
            Some(producer) => producer,
            None => Acknowledged::producer(self.client().set("enable.idempotence", "true"))?,
        };
        let written = send(&producer, topic, records)?;
        *kept = Some(producer);
        Ok(written)
    }

    /// Writes records in a transaction that is aborted: they take up offsets, and no reader may ever see them.
    ///
    /// # Errors
    /// If the broker refuses one of the steps.
    pub fn write_aborted(&self, topic: &str, records: impl IntoIterator<Item = RawRecord>) -> anyhow::Result<()> {
        let producer = Acknowledged::producer(self.client().set("transactional.id", crate::unique("test-kit")))?;
        producer.init_transactions(PATIENCE)?;
        producer.begin_transaction()?;
        send(&producer, topic, records)?;
        producer.abort_transaction(PATIENCE)?;
        Ok(())
    }

    /// Fences whoever works under this `transactional.id`, as an instance in the same slot would.
    ///
    /// # Errors
    /// If the broker refuses.
    pub fn fence(&self, transactional_id: &str) -> anyhow::Result<()> {
        let producer = Acknowledged::producer(self.client().set("transactional.id", transactional_id))?;
        Ok(producer.init_transactions(PATIENCE)?)
    }

    /// Writes a record in a transaction that stays open, and holds up who reads what is committed, until it is dropped or has
    /// been open for a minute; then it is aborted.
    ///
    /// # Errors
    /// If the broker refuses one of the steps.
    pub fn hold_open(&self, topic: &str, record: RawRecord) -> anyhow::Result<OpenTransaction> {
        let mut config = self.client();
        config.set("transactional.id", crate::unique("test-kit")).set("transaction.timeout.ms", "60000");
        let producer = Acknowledged::producer(&mut config)?;
        producer.init_transactions(PATIENCE)?;
        producer.begin_transaction()?;
        send(&producer, topic, [record])?;
        Ok(OpenTransaction(producer))
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        // Else the broker does, when its time is up.
        let _ = self.0.abort_transaction(PATIENCE);
    }
}

impl fmt::Debug for OpenTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenTransaction").finish_non_exhaustive()
    }
}

/// The partitions of a topic that have a leader; none if there is no such topic.
fn leaders(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    Ok(partitions.filter(|partition| partition.leader() >= 0).map(|partition| partition.id()).collect())
}

/// Beginning and end of a partition for this consumer, once its end has come so far.
fn watermarks(consumer: &BaseConsumer, topic: &str, partition: i32, at_least: i64) -> anyhow::Result<(i64, i64)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (beginning, end) = consumer.fetch_watermarks(topic, partition, PATIENCE)?;
        if end >= at_least {
            return Ok((beginning, end));
        }
        ensure!(Instant::now() < deadline, "a transaction on {topic}/{partition} did not end within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Reads until the given offset of each partition is reached. What reaches the end may be a transaction's marker, which is
/// no record; the end-of-partition event tells of that.
fn read_to(consumer: &BaseConsumer, mut ends: BTreeMap<i32, i64>) -> anyhow::Result<Vec<RawRecord>> {
    let deadline = Instant::now() + PATIENCE;
    let mut records = Vec::new();
    while !ends.is_empty() {
        ensure!(Instant::now() < deadline, "no end of partitions {:?} within {PATIENCE:?}", ends.keys());
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ends.remove(&partition)),
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(message)) => {
                let Some(end) = ends.get(&message.partition()).copied() else { continue };
                if message.offset() < end {
                    records.push(RawRecord::from_message(&message));
                }
                if message.offset() + 1 >= end {
                    ends.remove(&message.partition());
                }
            }
        }
    }
    Ok(records)
}

fn send(
    producer: &BaseProducer<Acknowledged>,
    topic: &str,
    records: impl IntoIterator<Item = RawRecord>,
) -> anyhow::Result<Vec<RawRecord>> {
    let mut sent: Vec<RawRecord> = records.into_iter().collect();
    for (index, record) in sent.iter().enumerate() {
        let mut outgoing = BaseRecord::<Vec<u8>, Vec<u8>, usize>::with_opaque_to(topic, index);
        outgoing.key = record.key.as_ref();
        outgoing.payload = record.value.as_ref();
        outgoing.timestamp = record.timestamp_ms;
        outgoing.headers = Some(record.owned_headers());
        outgoing.partition = (record.partition != RawRecord::ANY_PARTITION).then_some(record.partition);
        producer.send(outgoing).map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE)?;
    let mut acknowledged = producer.context().places.lock().expect("nothing panics while it is held");
    for (index, place) in acknowledged.drain(..) {
        (sent[index].partition, sent[index].offset) = place?;
    }
    Ok(sent)
}

/// Remembers where each record went, under its number.
#[derive(Debug, Default)]
struct Acknowledged {
    places: Mutex<Vec<(usize, Result<Place, KafkaError>)>>,
}

/// Partition and offset.
type Place = (i32, i64);

impl Acknowledged {
    fn producer(config: &mut ClientConfig) -> anyhow::Result<BaseProducer<Self>> {
        config.set("linger.ms", "0").set("partitioner", "murmur2_random").set("message.timeout.ms", "20000");
        Ok(BaseProducer::from_config_and_context(config, Self::default())?)
    }
}

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        let place = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        self.places.lock().expect("nothing panics while it is held").push((index, place));
    }
}

/// On a thread of its own, so that it may be called from inside a runtime as well, where none may even be dropped.
fn block_on<T: Send>(future: impl Future<Output = Result<T, KafkaError>> + Send) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = thread::scope(|scope| scope.spawn(move || runtime.block_on(future)).join());
    outcome.map_err(|_| anyhow::anyhow!("the admin client panicked"))?.map_err(Into::into)
}
