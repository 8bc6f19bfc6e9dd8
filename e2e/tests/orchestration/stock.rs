//! Pieces are promised to orders as long as there are any, each to one.

use e2e::NewOrder;
use test_kit::unique;
use tokio::task::JoinSet;

use crate::ecosystem::{Ecosystem, Level, Verdict, failed, order_of, priced, shared};

#[tokio::test]
async fn what_others_have_taken_cannot_be_had() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let (product, other) = (ecosystem.product(5).await?, ecosystem.product(1).await?);

    assert_eq!(ecosystem.order(&order_of(&product, 3)).await?, Verdict::Validated);
    assert_eq!(ecosystem.order(&order_of(&product, 3)).await?, failed("inventory: 3 asked for, 2 available"));
    assert_eq!(ecosystem.order(&order_of(&product, 2)).await?, Verdict::Validated);
    assert_eq!(ecosystem.order(&order_of(&product, 1)).await?, failed("inventory: 1 asked for, 0 available"));

    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 5, reserved: 5, version: 3 });
    assert_eq!(ecosystem.order(&order_of(&other, 1)).await?, Verdict::Validated, "of another product there is one");
    Ok(())
}

#[tokio::test]
async fn a_product_that_nobody_stocks_fails_and_does_not_hang() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = unique("product");

    assert_eq!(ecosystem.order(&order_of(&product, 1)).await?, failed("inventory: 1 asked for, 0 available"));

    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 0, reserved: 0, version: 0 }, "it gets no level");
    Ok(())
}

#[tokio::test]
async fn pieces_that_arrive_can_be_had_and_are_counted_once() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let (product, movement) = (ecosystem.product(1).await?, unique("movement"));
    assert_eq!(ecosystem.order(&order_of(&product, 2)).await?, failed("inventory: 2 asked for, 1 available"));

    for _ in 0..3 {
        ecosystem.receive(&movement, &product, 1).await?;
    }
    ecosystem.level_becomes(&product, Level { on_hand: 2, reserved: 0, version: 2 }).await;

    assert_eq!(ecosystem.order(&order_of(&product, 3)).await?, failed("inventory: 3 asked for, 2 available"));
    assert_eq!(ecosystem.order(&order_of(&product, 2)).await?, Verdict::Validated);
    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 2, reserved: 2, version: 3 });
    Ok(())
}

#[tokio::test]
async fn ten_orders_for_ten_items_are_validated_and_an_eleventh_fails() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = ecosystem.product(10).await?;

    let verdicts = at_once(&ecosystem, (0..10).map(|_| order_of(&product, 1))).await?;
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Validated), "{verdicts:?}");

    assert_eq!(ecosystem.order(&order_of(&product, 1)).await?, failed("inventory: 1 asked for, 0 available"));
    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 10, reserved: 10, version: 11 });
    Ok(())
}

#[tokio::test]
async fn of_twenty_orders_at_once_for_the_last_item_one_is_validated() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = ecosystem.product(1).await?;

    let mut verdicts = at_once(&ecosystem, (0..20).map(|_| order_of(&product, 1))).await?;

    verdicts.retain(|verdict| *verdict != failed("inventory: 1 asked for, 0 available"));
    assert_eq!(verdicts, [Verdict::Validated]);
    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 1, reserved: 1, version: 2 });
    Ok(())
}

#[tokio::test]
async fn an_order_that_fails_gives_its_item_to_the_next() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = ecosystem.product(1).await?;
    let too_dear = priced(&product, "2000.00")?;

    assert!(matches!(ecosystem.order(&too_dear).await?, Verdict::Failed(reason) if reason.starts_with("fraud")));
    assert_eq!(ecosystem.objections(&too_dear.id).await, ["fraud"], "inventory had promised it the item");
    ecosystem.level_becomes(&product, Level { on_hand: 1, reserved: 0, version: 3 }).await;

    assert_eq!(ecosystem.order(&order_of(&product, 1)).await?, Verdict::Validated);
    assert_eq!(ecosystem.order(&order_of(&product, 1)).await?, failed("inventory: 1 asked for, 0 available"));
    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 1, reserved: 1, version: 4 }, "it is released once");
    Ok(())
}

/// Places orders, none waiting for another, and waits for all verdicts.
async fn at_once(ecosystem: &Ecosystem, orders: impl Iterator<Item = NewOrder>) -> anyhow::Result<Vec<Verdict>> {
    let mut placed = JoinSet::new();
    for order in orders {
        let client = ecosystem.orders.clone();
        placed.spawn(async move {
            client.place(&order).await?;
            client.verdict(&order.id).await.map(Verdict::from)
        });
    }
    placed.join_all().await.into_iter().collect()
}
