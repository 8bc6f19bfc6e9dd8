//! No order waits for ever for a check that is away.

use std::time::Duration;

use local::Stack;
use shared_schemas::ORDER_EXPIRATIONS;
use test_kit::eventually;

use crate::ecosystem::{Level, OwnEcosystem, PATIENCE, Verdict, failed, order_of};

/// Longer than the checks that are there need for an order on a busy machine.
const VALIDATION_DEADLINE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn an_order_whose_check_is_away_fails_in_time_and_gives_its_pieces_back() -> anyhow::Result<()> {
    let deadline = VALIDATION_DEADLINE.as_millis().to_string();
    let builder = Stack::builder().single_instances().env("orders", "VALIDATION_DEADLINE_MS", deadline);
    let own = OwnEcosystem::start(builder.without_service("fraud")).await?;
    let ecosystem = &own.ecosystem;
    let product = ecosystem.product(3).await?;
    let order = order_of(&product, 2);

    assert_eq!(ecosystem.order(&order).await?, failed("no verdict in time from fraud"));
    ecosystem.level_becomes(&product, Level { on_hand: 3, reserved: 0, version: 3 }).await;
    let expired = ecosystem.topics.values(&ORDER_EXPIRATIONS).await?;
    let [expired] = &expired[..] else { panic!("{expired:?} is not one") };
    assert_eq!((&expired.order_id, &expired.missing[..]), (&order.id, &["fraud".to_string()][..]));

    own.part("fraud").start()?;
    assert_eq!(ecosystem.objections(&order.id).await, [""; 0], "fraud passes it, too late");
    assert_eq!(ecosystem.order(&order_of(&product, 3)).await?, Verdict::Validated, "nothing is left of it");
    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 3, reserved: 3, version: 4 });
    Ok(())
}

#[tokio::test]
async fn an_order_whose_check_comes_back_in_time_is_decided_by_it() -> anyhow::Result<()> {
    let own = OwnEcosystem::start(Stack::builder().single_instances().without_service("inventory")).await?;
    let ecosystem = &own.ecosystem;
    let (none, order) = (order_of("STOCKINGS", 1), order_of("JUMPERS", 1));
    ecosystem.orders.place(&none).await?;
    ecosystem.orders.place(&order).await?;
    eventually("the other checks have passed the orders", PATIENCE, async || {
        let passed = ecosystem.said("fraud", &order.id).await.ok()?;
        (!passed.is_empty()).then_some(())
    })
    .await;
    assert_eq!(ecosystem.orders.get(&order.id).await?.order()?.state, "CREATED", "it waits");

    own.part("inventory").start()?;
    assert_eq!(ecosystem.verdict(&order.id).await?, Verdict::Validated);
    assert_eq!(ecosystem.verdict(&none.id).await?, failed("inventory: 1 asked for, 0 available"));
    Ok(())
}
