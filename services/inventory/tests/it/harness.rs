use std::collections::BTreeMap;
use std::time::Duration;

use avro_codec::{AvroRecord, Schemas};
use shared_schemas::{
    CheckResult, ORDERS, Order, OrderState, OrderValidation, STOCK_MOVEMENTS, StockLevel, StockMoved,
    StockMovementKind, WAREHOUSE_INVENTORY, order_validations,
};
use streams::{Timestamp, Topic};
use test_kit::{RawRecord, Service, eventually};

/// By when anything that a test waits for has happened, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The stock at work.
pub struct Inventory {
    pub service: Service,
    pub schemas: Schemas,
}

impl Inventory {
    pub fn started(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let inventory = Self::prepared(settings)?;
        inventory.service.start()?;
        Ok(inventory)
    }

    /// Everything is there but the service itself.
    pub fn prepared(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let service = Service::new(env!("CARGO_BIN_EXE_inventory"), settings)?;
        let others = [ORDERS.declaration(), STOCK_MOVEMENTS.declaration()];
        let schemas = service.register_schemas(&others)?;
        service.create_topics(&others)?;
        Ok(Self { service, schemas })
    }

    /// Writes orders as the orders service does.
    pub fn hear(&self, orders: &[Order]) -> anyhow::Result<()> {
        self.write(&ORDERS, orders, |order| order.updated_at)
    }

    /// Writes movements as the warehouse does.
    pub fn count(&self, movements: &[StockMoved]) -> anyhow::Result<()> {
        self.write(&STOCK_MOVEMENTS, movements, |movement| movement.occurred_at)
    }

    /// Waits for so many verdicts, and returns all there are, by order.
    pub async fn verdicts(&self, count: usize) -> BTreeMap<String, OrderValidation> {
        let validations = eventually(&format!("there are {count} verdicts"), DEADLINE, async || {
            let validations =
                self.service.values(&order_validations("inventory"), &self.schemas).expect("verdicts can be read");
            (validations.len() >= count).then_some(validations)
        })
        .await;
        let found = validations.len();
        let by_order: BTreeMap<_, _> = validations.into_iter().map(|it| (it.order_id.clone(), it)).collect();
        assert_eq!(by_order.len(), found, "no order is judged twice");
        by_order
    }

    /// Waits until so much of a product is on hand and reserved, by its latest level.
    pub async fn level(&self, product: &str, on_hand: i64, reserved: i64) {
        eventually(&format!("of {product} {on_hand} are on hand, {reserved} of them reserved"), DEADLINE, async || {
            let levels = self.levels(product).expect("levels can be read");
            let latest = levels.last()?;
            (latest.on_hand == on_hand && latest.reserved == reserved).then_some(())
        })
        .await;
    }

    /// The levels of a product so far.
    pub fn levels(&self, product: &str) -> anyhow::Result<Vec<StockLevel>> {
        let mut levels = self.service.values(&WAREHOUSE_INVENTORY, &self.schemas)?;
        levels.retain(|level| level.product == product);
        Ok(levels)
    }

    fn write<V: AvroRecord>(&self, topic: &Topic<V>, values: &[V], at: fn(&V) -> Timestamp) -> anyhow::Result<()> {
        let records =
            values.iter().map(|value| Ok(RawRecord::of(topic, &self.schemas, value)?.at_ms(at(value).as_millis())));
        self.service.write(topic.name(), records.collect::<anyhow::Result<_>>()?).map(drop)
    }
}

pub fn created(id: &str, product: &str, quantity: i32) -> Order {
    Order {
        id: id.to_string(),
        customer_id: 1,
        state: OrderState::Created,
        product: product.to_string(),
        quantity,
        price_minor: 500,
        currency: "USD".to_string(),
        version: 1,
        reasons: Vec::new(),
        created_at: Timestamp(1_700_000_000_000),
        updated_at: Timestamp(1_700_000_000_000),
    }
}

/// The same order in its next state.
pub fn next(order: &Order, state: OrderState) -> Order {
    Order { state, version: order.version + 1, ..order.clone() }
}

pub fn received(id: &str, product: &str, quantity: i64) -> StockMoved {
    StockMoved {
        id: id.to_string(),
        product: product.to_string(),
        quantity,
        kind: StockMovementKind::Received,
        occurred_at: Timestamp(1_700_000_000_000),
    }
}

/// How many of the verdicts are PASS.
pub fn passes(verdicts: &BTreeMap<String, OrderValidation>) -> usize {
    verdicts.values().filter(|verdict| verdict.result == CheckResult::Pass).count()
}
