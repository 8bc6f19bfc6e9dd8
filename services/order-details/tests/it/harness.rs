use std::time::Duration;

use avro_codec::Schemas;
use shared_schemas::{ORDERS, Order, OrderState, OrderValidation, order_validations};
use streams::Timestamp;
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
        let records = orders
            .iter()
            .map(|order| Ok(RawRecord::of(&ORDERS, &self.schemas, order)?.at_ms(order.updated_at.as_millis())));
        self.service.write(ORDERS.name(), records.collect::<anyhow::Result<_>>()?).map(drop)
    }

    /// Waits for so many validations, and returns all there are.
    pub async fn validations(&self, count: usize) -> Vec<OrderValidation> {
        eventually(&format!("there are {count} validations"), DEADLINE, async || {
            let validations = self
                .service
                .values(&order_validations("order-details"), &self.schemas)
                .expect("validations can be read");
            (validations.len() >= count).then_some(validations)
        })
        .await
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
