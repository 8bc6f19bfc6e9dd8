use std::collections::BTreeMap;
use std::time::Duration;

use e2e::{Heard, Tap, broken_promises, disagreements};
use shared_schemas::{Order, OrderState, STOCK_MOVEMENTS, StockMoved, StockMovementKind, WAREHOUSE_INVENTORY};
use streams::{Timestamp, Topic};
use test_kit::eventually;

use crate::ecosystem::Ecosystem;

/// What fraud and inventory are told while orders come in, in the order in which they are told.
#[derive(Debug)]
pub struct Told {
    fraud: Tap<Order>,
    inventory: Tap<Order>,
}

/// How long inventory may take to hear of a delivery, or of orders that have failed.
const HEARD_WITHIN: Duration = Duration::from_secs(60);

impl Told {
    /// Begins to listen.
    pub fn begin(ecosystem: &Ecosystem) -> anyhow::Result<Self> {
        let addresses = ecosystem.stack.addresses();
        let topic = |service: &str, name: &str| {
            Topic::named(format!("{service}-{name}-repartition"), service.to_string(), |_: &Order| String::new())
        };
        Ok(Self {
            fraud: Tap::on(topic("fraud", "by-customer"), &addresses)?,
            inventory: Tap::on(topic("inventory", "by-product"), &addresses)?,
        })
    }

    /// Once all orders have their verdicts: the state in which each is left, which follows from what the checks were told.
    ///
    /// # Panics
    /// If it does not.
    pub async fn end(self, ecosystem: &Ecosystem) -> anyhow::Result<BTreeMap<String, OrderState>> {
        eventually("what failed orders held is released", HEARD_WITHIN, async || {
            let levels = ecosystem.topics.values(&WAREHOUSE_INVENTORY).await.ok()?;
            broken_promises(&ecosystem.log().await.ok()?, &levels).is_empty().then_some(())
        })
        .await;
        let heard = Heard {
            by_fraud: self.fraud.end().await?,
            by_inventory: self.inventory.end().await?,
            movements: ecosystem.topics.values(&STOCK_MOVEMENTS).await?,
        };
        let (log, levels) = (ecosystem.log().await?, ecosystem.topics.values(&WAREHOUSE_INVENTORY).await?);
        let found = disagreements(&heard, &log, &levels);
        assert!(found.is_empty(), "{} disagreements:\n{}", found.len(), found.join("\n"));
        let mut states = BTreeMap::new();
        for order in log.orders {
            states.insert(order.id, order.state);
        }
        let count = |state| states.values().filter(|of_order| **of_order == state).count();
        println!("{} orders are VALIDATED, {} FAILED", count(OrderState::Validated), count(OrderState::Failed));
        Ok(states)
    }
}

/// Has these pieces delivered, and waits until inventory has counted them.
pub async fn deliver(ecosystem: &Ecosystem, products: &[(&str, i64)]) -> anyhow::Result<()> {
    let now = Timestamp(1_700_000_000_000);
    let movement = |(product, quantity): &(&str, i64)| StockMoved {
        id: format!("delivery-of-{product}"),
        product: product.to_string(),
        quantity: *quantity,
        kind: StockMovementKind::Received,
        occurred_at: now,
    };
    let movements: Vec<StockMoved> = products.iter().map(movement).collect();
    ecosystem.topics.write(&STOCK_MOVEMENTS, now, &movements).await?;
    eventually("inventory has counted the delivery", HEARD_WITHIN, async || {
        let levels = ecosystem.topics.values(&WAREHOUSE_INVENTORY).await.ok()?;
        products.iter().all(|(product, _)| levels.iter().any(|level| level.product == *product)).then_some(())
    })
    .await;
    Ok(())
}
