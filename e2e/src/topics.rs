use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Context;
use avro_codec::registry::Registry;
use avro_codec::{AvroRecord, Schemas, Status};
use local::Addresses;
use serde_json::Value;
use streams::{DEFAULT_PARTITIONS, Timestamp, Topic, subject};
use test_kit::{Broker, RawRecord, unique};

use crate::ANSWERED_WITHIN;

/// The topics of a stack, read as any consumer does: what is committed, with the schemas the registry has.
#[derive(Debug)]
pub struct Topics {
    broker: Broker,
    registry_url: String,
    http: reqwest::Client,
    /// What the registry has said so far.
    schemas: Schemas,
}

/// A record that was read, and what it says.
#[derive(Clone, Debug)]
pub struct Event<V> {
    pub record: RawRecord,
    pub value: V,
}

impl Topics {
    /// The topics of the stack at these addresses.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn of(addresses: &Addresses) -> anyhow::Result<Self> {
        Ok(Self {
            broker: Broker::at(&addresses.kafka_bootstrap),
            registry_url: addresses.schema_registry_url.clone(),
            http: reqwest::Client::builder().no_proxy().build()?,
            schemas: Schemas::new(),
        })
    }

    /// All records of a topic, partition by partition, each in its order.
    ///
    /// # Errors
    /// If the topic cannot be read, or a record of it cannot be decoded.
    pub async fn read<V: AvroRecord>(&self, topic: &Topic<V>) -> anyhow::Result<Vec<Event<V>>> {
        let mut events = Vec::new();
        for record in self.broker.read_all(topic.name())? {
            events.push(self.event(topic, record).await?);
        }
        Ok(events)
    }

    /// What a record of the topic says.
    ///
    /// # Errors
    /// If it cannot be decoded.
    pub async fn event<V: AvroRecord>(&self, topic: &Topic<V>, record: RawRecord) -> anyhow::Result<Event<V>> {
        let at = || format!("{} partition {} offset {}", topic.name(), record.partition, record.offset);
        let bytes = record.value.as_deref().with_context(|| format!("{} is a tombstone", at()))?;
        self.learn_schema(bytes).await.with_context(at)?;
        let value = self.schemas.decode(bytes).with_context(at)?;
        Ok(Event { record, value })
    }

    /// The values in all records of a topic.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn values<V: AvroRecord>(&self, topic: &Topic<V>) -> anyhow::Result<Vec<V>> {
        Ok(self.read(topic).await?.into_iter().map(|event| event.value).collect())
    }

    /// Writes events as the service does that owns the topic, all at that event time.
    ///
    /// # Errors
    /// If the registry does not have the topic's schema, or a record is not acknowledged.
    pub async fn write<V: AvroRecord>(&self, topic: &Topic<V>, at: Timestamp, values: &[V]) -> anyhow::Result<()> {
        let subject = subject(topic.name());
        let registry = Registry::new(&self.registry_url, ANSWERED_WITHIN)?;
        registry.bind_all(&self.schemas, &[(subject.clone(), V::schema())]).await?;
        let record = |value: &V| {
            let bytes = self.schemas.encode(&subject, value)?;
            anyhow::Ok(RawRecord::new(topic.key(value), bytes).at_ms(at.as_millis()))
        };
        let records: Vec<RawRecord> = values.iter().map(record).collect::<Result<_, _>>()?;
        self.broker.write(topic.name(), records).map(drop)
    }

    /// What a service could not handle, in the bytes it got.
    ///
    /// # Errors
    /// If the topic cannot be read.
    pub fn dead_letters(&self, service: &str) -> anyhow::Result<Vec<RawRecord>> {
        self.broker.read_all(&format!("{service}-dead-letters"))
    }

    /// Numbers that nobody else uses. Whatever they are the ids of, each topic has it in one partition: what is said of one
    /// of them later is heard later.
    ///
    /// # Errors
    /// If the broker, which knows the partitions, does not tell.
    pub fn numbers_of_one_partition(&self) -> anyhow::Result<Vec<i64>> {
        const TRIED: i64 = 100;
        static NEXT: AtomicI64 = AtomicI64::new(5_000_000_000);
        let first = NEXT.fetch_add(TRIED, Ordering::Relaxed);
        let topic = unique("numbers");
        self.broker.create_topic(&topic, DEFAULT_PARTITIONS, &[])?;
        let tried = (first..first + TRIED).map(|number| RawRecord::new(number.to_string(), ""));
        let written = self.broker.write(&topic, tried)?;
        let numbers = (first..).zip(&written).filter(|(_, record)| record.partition == written[0].partition);
        Ok(numbers.map(|(number, _)| number).collect())
    }

    /// The broker, to write what no service would.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    async fn learn_schema(&self, bytes: &[u8]) -> anyhow::Result<()> {
        if let Status::Unresolved(id) = self.schemas.status(bytes) {
            let answer = self.http.get(format!("{}/schemas/ids/{id}", self.registry_url)).send().await?;
            let answer: Value = answer.error_for_status()?.json().await?;
            let text = answer["schema"].as_str().with_context(|| format!("no schema in {answer}"))?;
            self.schemas.learn(id, text)?;
        }
        Ok(())
    }
}

impl<V> Event<V> {
    /// A header of the record that is there and is text.
    ///
    /// # Errors
    /// If it is not.
    pub fn header(&self, name: &str) -> anyhow::Result<&str> {
        let value = self.record.header_value(name).with_context(|| format!("the record has no header {name}"))?;
        Ok(std::str::from_utf8(value)?)
    }
}
