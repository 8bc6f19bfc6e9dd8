//! A service that ends and begins again between orders says nothing twice, and forgets nothing.

use std::collections::BTreeMap;

use e2e::{Log, NewOrder, violations};
use local::Stack;
use shared_schemas::{ORDER_REQUESTS, ORDERS, OrderState, order_validations};
use test_kit::eventually;

use crate::ecosystem::{CHECKS, Ecosystem, Level, OwnEcosystem, PATIENCE, Verdict, failed, order_of, priced};

const SERVICES: [&str; 4] = ["orders", "order-details", "fraud", "inventory"];

/// Enough to have some in every partition.
const ORDERS_BETWEEN: usize = 8;

#[tokio::test]
async fn services_that_are_restarted_between_orders_repeat_no_verdict_and_forget_nothing() -> anyhow::Result<()> {
    let own = OwnEcosystem::start(Stack::builder().single_instances()).await?;
    let ecosystem = &own.ecosystem;
    let product = ecosystem.product(2).await?;
    let mut decided = BTreeMap::new();
    let spender = priced(&product, "1500.00")?;
    assert_eq!(ecosystem.order(&spender).await?, Verdict::Validated);
    decided.insert(spender.id.clone(), OrderState::Validated);
    decided.extend(place_some(ecosystem).await?);

    for (round, service) in SERVICES.into_iter().enumerate() {
        let part = own.part(service);
        if round % 2 == 0 {
            part.kill()
        } else {
            part.stop()
        }
        part.start()?;
        decided.extend(place_some(ecosystem).await?);
    }

    let more = NewOrder { customer_id: spender.customer_id, ..priced(&product, "500.00")? };
    let reason = "fraud: the orders of one session must stay below 2000.00 USD, and come to 2000.00 USD";
    assert_eq!(ecosystem.order(&more).await?, failed(reason), "what was spent is remembered");
    ecosystem.level_becomes(&product, Level { on_hand: 2, reserved: 1, version: 4 }).await;
    let too_many = order_of(&product, 2);
    assert_eq!(ecosystem.order(&too_many).await?, failed("inventory: 2 asked for, 1 available"));
    decided.extend([more.id, too_many.id].map(|id| (id, OrderState::Failed)));

    let log = eventually("every check has judged every order", PATIENCE, async || {
        let log = log(ecosystem).await.ok()?;
        (log.validations.len() >= CHECKS.len() * decided.len()).then_some(log)
    })
    .await;
    let found = violations(&decided, &CHECKS, &log);
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
    Ok(())
}

/// Places orders of which every second one fails; tells their verdicts.
async fn place_some(ecosystem: &Ecosystem) -> anyhow::Result<BTreeMap<String, OrderState>> {
    let mut decided = BTreeMap::new();
    for _ in 0..ORDERS_BETWEEN / 2 {
        let (order, in_vain) = (order_of("JUMPERS", 1), order_of("STOCKINGS", 1));
        // A connection that the client kept may be one of a process that is gone.
        ecosystem.orders.place_until_acknowledged(&order, PATIENCE).await;
        ecosystem.orders.place_until_acknowledged(&in_vain, PATIENCE).await;
        assert_eq!(ecosystem.verdict(&order.id).await?, Verdict::Validated);
        assert_eq!(ecosystem.verdict(&in_vain.id).await?, failed("inventory: 1 asked for, 0 available"));
        decided.extend([(order.id, OrderState::Validated), (in_vain.id, OrderState::Failed)]);
    }
    Ok(decided)
}

async fn log(ecosystem: &Ecosystem) -> anyhow::Result<Log> {
    let requests = ecosystem.topics.values(&ORDER_REQUESTS).await?;
    let mut validations = Vec::new();
    for check in CHECKS {
        validations.extend(ecosystem.topics.values(&order_validations(check)).await?);
    }
    let requested = requests.into_iter().map(|request| request.order_id).collect();
    Ok(Log { requested, orders: ecosystem.topics.values(&ORDERS).await?, validations })
}
