use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use avro_codec::{AvroRecord, Schemas};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use shared_schemas::{CheckResult, ORDERS, Order, OrderValidation, order_validations};
use streams::{Timestamp, Topic, TopicDeclaration, subject};
use streams_kafka::partition_of;
use test_kit::{HTTP, RawRecord, Service, answer};

/// By when anything that a test waits for has happened, also on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Some time in the past, at which a request was made or a check done.
pub const LONG_AGO: Timestamp = Timestamp(1_700_000_000_000);

/// The orders service, and the means to be everybody around it.
pub struct Orders {
    pub service: Service,
    pub schemas: Schemas,
    validations: Vec<TopicDeclaration>,
}

/// The one that all tests share that do not stop or starve it.
pub fn shared() -> &'static Orders {
    static SHARED: OnceLock<Orders> = OnceLock::new();
    SHARED.get_or_init(|| Orders::started(&[]).expect("the service starts"))
}

impl Orders {
    /// One of the test's own.
    pub fn started(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let orders = Self::prepared(settings)?;
        orders.service.start()?;
        Ok(orders)
    }

    /// One that only has to be started.
    pub fn prepared(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let orders = Self::bare(settings)?;
        orders.create_topics()?;
        Ok(orders)
    }

    /// One without topics.
    pub fn bare(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let checks = settings.iter().find(|(name, _)| *name == "REQUIRED_CHECKS").map_or("order-details", |(_, it)| it);
        let validations: Vec<_> = checks.split(',').map(|check| order_validations(check).declaration()).collect();
        let settings = [&[("REQUIRED_CHECKS", checks)], settings].concat();
        let service = Service::new(env!("CARGO_BIN_EXE_orders"), &settings)?;
        let schemas = service.register_schemas(&validations)?;
        Ok(Self { service, schemas, validations })
    }

    /// Another instance of it, in the next slot, that does not run yet.
    pub fn beside(&self, settings: &[(&str, &str)]) -> Self {
        let service = self.service.beside(&[&[("INSTANCE", "1")], settings].concat());
        Self { service, schemas: self.schemas.clone(), validations: self.validations.clone() }
    }

    /// Creates its topics and those of the checks.
    pub fn create_topics(&self) -> anyhow::Result<()> {
        self.service.create_topics(&self.validations)
    }

    /// Has an order placed: `POST /v1/orders`.
    pub async fn post(&self, order: &Value) -> reqwest::Result<Response> {
        self.posting(order).send().await
    }

    /// The same, to be amended.
    pub fn posting(&self, order: &Value) -> RequestBuilder {
        HTTP.post(self.service.url() + "/v1/orders").json(order)
    }

    /// `GET` of a path.
    pub async fn get(&self, path: &str) -> reqwest::Result<Response> {
        HTTP.get(self.service.url() + path).send().await
    }

    /// Places an order with this id, and returns it as it was created.
    pub async fn place(&self, id: &str) -> anyhow::Result<Value> {
        answer(self.post(&order(id)).await?, 201).await
    }

    /// Waits for the verdict on an order, and returns the order.
    pub async fn validated(&self, id: &str) -> anyhow::Result<Value> {
        answer(self.get(&format!("/v1/orders/{id}/validated?timeout=30000")).await?, 200).await
    }

    /// Has a check pass an order.
    pub fn pass(&self, check: &str, id: &str) -> anyhow::Result<()> {
        self.judge(check, id, CheckResult::Pass, None)
    }

    /// Has a check fail an order.
    pub fn fail(&self, check: &str, id: &str, reason: &str) -> anyhow::Result<()> {
        self.judge(check, id, CheckResult::Fail, Some(reason.to_string()))
    }

    fn judge(&self, check: &str, id: &str, result: CheckResult, reason: Option<String>) -> anyhow::Result<()> {
        let (order_id, check) = (id.to_string(), check.to_string());
        let topic = order_validations(&check);
        self.write(&topic, &OrderValidation { order_id, check, result, reason, checked_at: LONG_AGO })
    }

    /// Writes an event as the service does that owns the topic.
    pub fn write<V: AvroRecord>(&self, topic: &Topic<V>, value: &V) -> anyhow::Result<()> {
        let bytes = self.schemas.encode(&subject(topic.name()), value)?;
        let record = RawRecord::new(topic.key(value), bytes).at_ms(LONG_AGO.as_millis());
        self.service.write(topic.name(), vec![record]).map(drop)
    }

    /// Every version of an order that was committed.
    pub fn versions(&self, id: &str) -> anyhow::Result<Vec<Order>> {
        self.read(&ORDERS, id)
    }

    /// Every event of a topic with this key.
    pub fn read<V: AvroRecord>(&self, topic: &Topic<V>, key: &str) -> anyhow::Result<Vec<V>> {
        let records = self.service.read_all(topic.name())?;
        let records = records.iter().filter(|record| record.key.as_deref() == Some(key.as_bytes()));
        let values = records.map(|record| Ok(self.schemas.decode(record.value.as_deref().context("no value")?)?));
        values.collect()
    }

    /// Whether this instance serves an order, there or not, and not another.
    pub async fn serves(&self, id: &str) -> bool {
        self.service.serves("orders", id).await
    }

    /// Waits until so many requests are waiting.
    pub async fn waiters_are(&self, count: usize) {
        self.service.waiters_are(count).await;
    }
}

/// An order as a client writes it.
pub fn order(id: &str) -> Value {
    json!({"id": id, "customerId": 1, "product": "JUMPERS", "quantity": 3, "price": 5.00})
}

/// Another id in the same partition, so that what is written under it comes behind.
pub fn neighbour(id: &str) -> String {
    let is_beside = |other: &String| partition_of(other, 4) == partition_of(id, 4);
    (0..).map(|number| format!("{id}-{number}")).find(is_beside).expect("one in four is")
}
