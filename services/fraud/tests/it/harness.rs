use std::collections::BTreeMap;
use std::time::Duration;

use avro_codec::Schemas;
use shared_schemas::{CheckResult, ORDERS, Order, OrderState, OrderValidation, order_validations};
use streams::Timestamp;
use test_kit::{RawRecord, Service, eventually};

/// By when anything that a test waits for has happened, also on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Some time in the past, when the orders are placed unless a test says otherwise.
pub const LONG_AGO: Timestamp = Timestamp(1_700_000_000_000);

/// The check at work.
pub struct Fraud {
    pub service: Service,
    pub schemas: Schemas,
}

impl Fraud {
    pub fn started(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let service = Service::new(env!("CARGO_BIN_EXE_fraud"), settings)?;
        let others = [ORDERS.declaration()];
        let schemas = service.register_schemas(&others)?;
        service.create_topics(&others)?;
        service.start()?;
        Ok(Self { service, schemas })
    }

    /// Writes orders, all to one partition, so that they are judged in this order.
    pub fn write(&self, orders: &[Order]) -> anyhow::Result<()> {
        let records = orders.iter().map(|order| {
            Ok(RawRecord::of(&ORDERS, &self.schemas, order)?.to_partition(0).at_ms(order.updated_at.as_millis()))
        });
        self.service.write(ORDERS.name(), records.collect::<anyhow::Result<_>>()?).map(drop)
    }

    /// Waits for so many verdicts, and returns all there are, by order; no order has two.
    pub async fn verdicts(&self, count: usize) -> BTreeMap<String, OrderValidation> {
        eventually(&format!("there are {count} verdicts"), DEADLINE, async || {
            let verdicts = self.all().expect("verdicts can be read");
            (verdicts.len() >= count).then_some(verdicts)
        })
        .await
    }

    /// The same, without what is said beside the result.
    pub async fn results(&self, count: usize) -> BTreeMap<String, CheckResult> {
        self.verdicts(count).await.into_iter().map(|(id, verdict)| (id, verdict.result)).collect()
    }

    fn all(&self) -> anyhow::Result<BTreeMap<String, OrderValidation>> {
        let mut verdicts = BTreeMap::new();
        for verdict in self.service.values(&order_validations("fraud"), &self.schemas)? {
            let twice = verdicts.insert(verdict.order_id.clone(), verdict);
            assert_eq!(twice, None, "no order is judged twice");
        }
        Ok(verdicts)
    }
}

/// An order of a customer for 1.00 USD a piece.
pub fn order(id: &str, customer_id: i64, quantity: i32) -> Order {
    Order {
        id: id.to_string(),
        customer_id,
        state: OrderState::Created,
        product: "JUMPERS".to_string(),
        quantity,
        price_minor: 100,
        currency: "USD".to_string(),
        version: 1,
        reasons: Vec::new(),
        created_at: LONG_AGO,
        updated_at: LONG_AGO,
    }
}
