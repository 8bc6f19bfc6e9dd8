//! What is written to the log past the gateway, because there is so much of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use avro_codec::registry::Registry;
use avro_codec::{AvroRecord, Schemas};
use local::READY_WITHIN;
use rdkafka::Message;
use rdkafka::consumer::Consumer;
use shared_schemas::{
    ORDER_REQUESTS, OrderRequested, STOCK_MOVEMENTS, StockMoved, StockMovementKind, WAREHOUSE_INVENTORY,
};
use streams::{Timestamp, Topic, subject};
use streams_kafka::Journal;
use tokio::task::JoinSet;

use crate::bare;
use crate::ground::Ground;
use crate::shop::PLENTIFUL;

/// Events journaled at once: what follows from them is awaited before the next, so that none waits too long.
const AT_ONCE: usize = 10_000;

/// Journals orders as the gateway does, each of another customer, and waits until all have their verdict.
pub(crate) fn orders(ground: &Ground, number: usize) -> anyhow::Result<()> {
    ground.shop.runtime.block_on(async {
        for first in (0..number).step_by(AT_ONCE) {
            let numbers = first..number.min(first + AT_ONCE);
            let requests = numbers.clone().map(request).collect::<anyhow::Result<_>>()?;
            append(ground, &ORDER_REQUESTS, requests, |request| request.requested_at).await?;
            // Partitions are not equally far, nor are the checks: so many are asked for that few are left behind.
            for number in numbers.rev().step_by(10) {
                ground.shop.await_verdict(&order_id(number)).await?;
            }
        }
        Ok(())
    })
}

/// Receives a million pieces of each of so many products, waits until inventory knows of all, and returns their names.
pub(crate) fn products(ground: &Ground, number: usize) -> anyhow::Result<Vec<String>> {
    let names: Vec<String> = (0..number).map(|number| format!("PRODUCT-{number}")).collect();
    let received = names.iter().map(received).collect::<anyhow::Result<_>>()?;
    let appended = append(ground, &STOCK_MOVEMENTS, received, |movement| movement.occurred_at);
    ground.shop.runtime.block_on(appended)?;
    await_levels(ground, &names)?;
    Ok(names)
}

async fn append<V: AvroRecord + Send + Sync + 'static>(
    ground: &Ground,
    topic: &'static Topic<V>,
    events: Vec<V>,
    at: fn(&V) -> Timestamp,
) -> anyhow::Result<()> {
    let schemas = Schemas::new();
    let declaration = topic.declaration();
    let bound: Vec<(String, String)> =
        declaration.schema.into_iter().map(|schema| (subject(&declaration.name), schema)).collect();
    let registry = Registry::new(&ground.stack.addresses().schema_registry_url, Duration::from_secs(10))?;
    registry.bind_all(&schemas, &bound).await?;
    let journal = Journal::new(ground.settings(), schemas, READY_WITHIN)?;
    let mut journaled = JoinSet::new();
    for event in events {
        let journal = journal.clone();
        journaled.spawn(async move { journal.append(topic, &event, at(&event), None).await });
    }
    while let Some(journaled) = journaled.join_next().await {
        journaled??;
    }
    Ok(())
}

/// Waits until the levels of these products are published.
fn await_levels(ground: &Ground, names: &[String]) -> anyhow::Result<()> {
    const LONGEST: Duration = Duration::from_secs(30);
    let consumer = bare::consumer(&ground.bootstrap, "levels")?;
    consumer.assign(&bare::beginnings(&consumer, WAREHOUSE_INVENTORY.name())?)?;
    let mut missing: BTreeSet<&[u8]> = names.iter().map(String::as_bytes).collect();
    let began = Instant::now();
    while !missing.is_empty() {
        ensure!(began.elapsed() < LONGEST, "{} products have no level after {LONGEST:?}", missing.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message?;
            message.key().map(|product| missing.remove(product));
        }
    }
    Ok(())
}

fn order_id(number: usize) -> String {
    format!("0199c0de-0000-7000-8000-{number:012}")
}

fn request(number: usize) -> anyhow::Result<OrderRequested> {
    let id = order_id(number);
    let body =
        format!(r#"{{"id": "{id}", "customerId": {number}, "product": "{PLENTIFUL}", "quantity": 1, "price": 9.99}}"#);
    Ok(OrderRequested {
        body: body.into_bytes(),
        order_id: id,
        customer_id: i64::try_from(number)?,
        product: PLENTIFUL.to_string(),
        quantity: 1,
        price_minor: 999,
        currency: "USD".to_string(),
        requested_at: now()?,
    })
}

fn received(product: &String) -> anyhow::Result<StockMoved> {
    Ok(StockMoved {
        id: format!("received-{product}"),
        product: product.clone(),
        quantity: 1_000_000,
        kind: StockMovementKind::Received,
        occurred_at: now()?,
    })
}

fn now() -> anyhow::Result<Timestamp> {
    Ok(Timestamp(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?))
}
