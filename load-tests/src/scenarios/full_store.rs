use std::time::{Duration, SystemTime, UNIX_EPOCH};

use avro_codec::Schemas;
use avro_codec::registry::Registry;
use local::READY_WITHIN;
use shared_schemas::{ORDER_REQUESTS, OrderRequested};
use streams::{Timestamp, subject};
use streams_kafka::Journal;
use tokio::task::JoinSet;

use crate::ground::Ground;
use crate::latencies::Latencies;
use crate::pace::{Pace, pause};
use crate::process::memory_mib;
use crate::report::{Figure, Outcome, Report, doing};

const ORDERS: usize = 100_000;
/// Orders journaled at once: the verdicts on them are awaited before the next, so that none waits too long for its own.
const AT_ONCE: usize = 10_000;
const MOST_MEMORY_MIB: f64 = 150.0;
const PACE: Pace = Pace { per_second: 10, starts: 150 };

/// Measures orders before and after so many orders went through it.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let mut chain = ground.three_hops("full-store")?;
    ground.warm_up_orders("full-store")?;
    let mut both = |label: &str| -> anyhow::Result<(Latencies, Latencies)> {
        Ok((ground.order(PACE, label)?, chain.send(PACE, &ground.interrupt)?))
    };
    let (empty, bare_before) = both("before")?;
    let memory_before = memory_mib(ground.pid("orders")?)?;
    doing("  100 000 orders have their verdicts", || fill(ground))?;
    pause(&ground.interrupt, Duration::from_secs(5))?;
    let memory = memory_mib(ground.pid("orders")?)?;
    let (full, bare_after) = both("after")?;
    report.add(Figure {
        what: format!("orders with {ORDERS} orders in its store"),
        bar: format!("≤ {MOST_MEMORY_MIB} MiB"),
        value: format!("{memory:.1} MiB"),
        beside: format!("before: {memory_before:.1} MiB"),
        outcome: Outcome::of(memory <= MOST_MEMORY_MIB),
    });
    report.add(Figure {
        what: format!("its median from POST to VALIDATED at {}/s", PACE.per_second),
        bar: String::new(),
        value: format!("{:.1} ms", full.median_ms()),
        beside: format!(
            "before: {:.1} ms; bare: {:.1}, before {:.1} ms",
            empty.median_ms(),
            bare_after.median_ms(),
            bare_before.median_ms()
        ),
        outcome: Outcome::Told,
    });
    chain.stop()
}

/// Journals orders as the gateway does, and waits until all have their verdict.
fn fill(ground: &Ground) -> anyhow::Result<()> {
    let schemas = Schemas::new();
    let requests = ORDER_REQUESTS.declaration();
    let bound: Vec<(String, String)> =
        requests.schema.into_iter().map(|schema| (subject(&requests.name), schema)).collect();
    let registry = Registry::new(&ground.stack.addresses().schema_registry_url, Duration::from_secs(10))?;
    let journal = Journal::new(ground.settings(), schemas.clone(), READY_WITHIN)?;
    ground.shop.runtime.block_on(async {
        registry.bind_all(&schemas, &bound).await?;
        for first in (0..ORDERS).step_by(AT_ONCE) {
            let mut journaled = JoinSet::new();
            for number in first..first + AT_ONCE {
                let journal = journal.clone();
                journaled.spawn(async move {
                    let request = request(number)?;
                    anyhow::Ok(journal.append(&ORDER_REQUESTS, &request, request.requested_at, None).await?)
                });
            }
            while let Some(journaled) = journaled.join_next().await {
                journaled??;
            }
            // Among so many of the last there are some of every partition.
            for number in first + AT_ONCE - 100..first + AT_ONCE {
                ground.shop.await_verdict(&id(number)).await?;
            }
        }
        Ok(())
    })
}

fn id(number: usize) -> String {
    format!("0199c0de-0000-7000-8000-{number:012}")
}

fn request(number: usize) -> anyhow::Result<OrderRequested> {
    let body =
        format!(r#"{{"id": "{}", "customerId": 1, "product": "JUMPERS", "quantity": 1, "price": 9.99}}"#, id(number));
    Ok(OrderRequested {
        body: body.into_bytes(),
        order_id: id(number),
        customer_id: 1,
        product: "JUMPERS".to_string(),
        quantity: 1,
        price_minor: 999,
        currency: "USD".to_string(),
        requested_at: Timestamp(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?),
    })
}
