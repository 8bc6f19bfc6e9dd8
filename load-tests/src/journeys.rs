//! What happens to orders, written to the log past all services, because there is so much of it.

use std::time::Duration;

use avro_codec::registry::Registry;
use avro_codec::{AvroRecord, Schemas};
use local::Stack;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use shared_schemas::{
    MAILS_SENT, MailKind, MailSent, ORDER_DETAILS_VALIDATIONS, ORDER_REQUESTS, ORDERS, Order, OrderRequested,
    OrderState, OrderValidation, PAYMENTS, Payment, StockLevel, WAREHOUSE_INVENTORY,
};
use streams::{DEFAULT_PARTITIONS, Timestamp, Topic, TopicDeclaration, subject};
use streams_kafka::partition_of;

use crate::bare::CountingProducer;

/// From its request to its mail, and the level of its product.
pub(crate) const EVENTS_OF_AN_ORDER: usize = 7;
const SOME_TIME: Timestamp = Timestamp(1_700_000_000_000);

/// Writes the journeys of so many orders, one after the other, with the verdict of one check.
pub(crate) fn tell(stack: &Stack, number_of_orders: usize) -> anyhow::Result<()> {
    let addresses = stack.addresses();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let schemas = Schemas::new();
    let registry = Registry::new(&addresses.schema_registry_url, Duration::from_secs(10))?;
    let declarations: [TopicDeclaration; 6] = [
        ORDER_REQUESTS.declaration(),
        ORDERS.declaration(),
        ORDER_DETAILS_VALIDATIONS.declaration(),
        PAYMENTS.declaration(),
        MAILS_SENT.declaration(),
        WAREHOUSE_INVENTORY.declaration(),
    ];
    let bound: Vec<_> =
        declarations.into_iter().filter_map(|topic| Some((subject(&topic.name), topic.schema?))).collect();
    runtime.block_on(registry.bind_all(&schemas, &bound))?;
    let mut told = Told { producer: CountingProducer::idempotent(&addresses.kafka_bootstrap)?, schemas };
    for number in 0..number_of_orders {
        told.tell(number)?;
    }
    Ok(told.producer.await_acknowledgements()?)
}

struct Told {
    producer: CountingProducer,
    schemas: Schemas,
}

impl Told {
    fn tell(&mut self, number: usize) -> anyhow::Result<()> {
        let order = order(number)?;
        self.say(&ORDER_REQUESTS, &requested(&order))?;
        self.say(&ORDERS, &order)?;
        self.say(&ORDER_DETAILS_VALIDATIONS, &OrderValidation::new("order-details", &order, None, order.created_at))?;
        let level = StockLevel {
            product: order.product.clone(),
            on_hand: 1_000_000,
            reserved: i64::try_from(number)?,
            version: i32::try_from(number)? + 1,
            updated_at: order.updated_at,
        };
        self.say(&WAREHOUSE_INVENTORY, &level)?;
        let order = Order { state: OrderState::Validated, version: 2, ..order };
        self.say(&ORDERS, &order)?;
        let payment = Payment {
            id: format!("payment-{}", order.id),
            order_id: order.id.clone(),
            amount_minor: order.price_minor,
            currency: order.currency.clone(),
            paid_at: order.updated_at,
        };
        self.say(&PAYMENTS, &payment)?;
        let mail = MailSent {
            idempotency_key: format!("{}/confirmation", order.id),
            subject: format!("Your order {} is confirmed", order.id),
            order_id: order.id,
            kind: MailKind::Confirmation,
            sent_at: order.updated_at,
        };
        self.say(&MAILS_SENT, &mail)
    }

    fn say<V: AvroRecord>(&mut self, topic: &Topic<V>, value: &V) -> anyhow::Result<()> {
        let (key, bytes) = (topic.key(value), self.schemas.encode(&subject(topic.name()), value)?);
        let partition = partition_of(&key, DEFAULT_PARTITIONS);
        let processed_at = SOME_TIME.as_millis().to_string();
        // What the engine writes bears it.
        let headers = OwnedHeaders::new().insert(Header { key: "processed-at", value: Some(&processed_at) });
        let record = BaseRecord::to(topic.name()).partition(partition).key(key.as_bytes()).headers(headers);
        Ok(self.producer.send(record.payload(&bytes))?)
    }
}

fn order(number: usize) -> anyhow::Result<Order> {
    let at = Timestamp(SOME_TIME.as_millis() + i64::try_from(number)?);
    Ok(Order {
        id: format!("0199c0de-0000-7000-8000-{number:012}"),
        customer_id: i64::try_from(number % 1000)?,
        state: OrderState::Created,
        product: ["JUMPERS", "UNDERPANTS", "STOCKINGS"][number % 3].to_string(),
        quantity: 1,
        price_minor: 999,
        currency: "USD".to_string(),
        version: 1,
        reasons: Vec::new(),
        created_at: at,
        updated_at: at,
    })
}

fn requested(order: &Order) -> OrderRequested {
    let body = format!(
        r#"{{"id": "{}", "customerId": {}, "product": "{}", "quantity": 1, "price": 9.99}}"#,
        order.id, order.customer_id, order.product
    );
    OrderRequested {
        body: body.into_bytes(),
        order_id: order.id.clone(),
        customer_id: order.customer_id,
        product: order.product.clone(),
        quantity: order.quantity,
        price_minor: order.price_minor,
        currency: order.currency.clone(),
        requested_at: order.created_at,
    }
}
