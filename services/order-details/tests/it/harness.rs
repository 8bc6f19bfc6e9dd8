use std::time::Duration;

use anyhow::Context;
use avro_codec::Schemas;
use shared_schemas::{ORDER_DETAILS_VALIDATIONS, ORDERS, Order, OrderState, OrderValidation};
use streams::{Timestamp, subject};
use test_kit::{RawRecord, Service, eventually};

/// By when anything that a test waits for has happened, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// The check at work.
pub struct OrderDetails {
    pub service: Service,
    pub schemas: Schemas,
}

impl OrderDetails {
    pub fn started(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let service = Service::new(env!("CARGO_BIN_EXE_order-details"), settings)?;
        let others = [ORDERS.declaration()];
        let schemas = service.register_schemas(&others)?;
        service.create_topics(&others)?;
        service.start()?;
        Ok(Self { service, schemas })
    }

    /// Writes orders as the orders service does.
    pub fn write(&self, orders: &[Order]) -> anyhow::Result<()> {
        let records = orders.iter().map(|order| {
            let bytes = self.schemas.encode(&subject(ORDERS.name()), order)?;
            Ok(RawRecord::new(ORDERS.key(order), bytes).at_ms(order.updated_at.as_millis()))
        });
        self.service.write(ORDERS.name(), records.collect::<anyhow::Result<_>>()?).map(drop)
    }

    /// Waits for so many validations, and returns all there are.
    pub async fn validations(&self, count: usize) -> Vec<OrderValidation> {
        eventually(&format!("there are {count} validations"), DEADLINE, async || {
            let validations = self.all().expect("validations can be read");
            (validations.len() >= count).then_some(validations)
        })
        .await
    }

    /// Waits for so many dead letters, and returns all there are.
    pub async fn dead_letters(&self, count: usize) -> Vec<RawRecord> {
        eventually(&format!("there are {count} dead letters"), DEADLINE, async || {
            let letters = self.service.dead_letters().expect("dead letters can be read");
            (letters.len() >= count).then_some(letters)
        })
        .await
    }

    fn all(&self) -> anyhow::Result<Vec<OrderValidation>> {
        let records = self.service.read_all(ORDER_DETAILS_VALIDATIONS.name())?;
        let values = records.iter().map(|record| {
            let validation: OrderValidation = self.schemas.decode(record.value.as_deref().context("no value")?)?;
            assert_eq!(record.key_text(), validation.order_id, "a validation bears the key of its order");
            Ok(validation)
        });
        values.collect()
    }
}

/// An order without fault.
pub fn order(id: &str) -> Order {
    Order {
        id: id.to_string(),
        customer_id: 1,
        state: OrderState::Created,
        product: "JUMPERS".to_string(),
        quantity: 3,
        price_minor: 500,
        currency: "USD".to_string(),
        version: 1,
        reasons: Vec::new(),
        created_at: Timestamp(1_700_000_000_000),
        updated_at: Timestamp(1_700_000_000_000),
    }
}
