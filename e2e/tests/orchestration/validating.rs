//! What all checks pass is validated, and each check can fail an order alone.

use e2e::NewOrder;

use crate::ecosystem::{Level, Verdict, failed, order_of, priced, shared};

#[tokio::test]
async fn an_order_that_all_checks_pass_is_validated_and_its_pieces_are_reserved() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = ecosystem.product(10).await?;
    let order = order_of(&product, 3);

    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);

    // Pieces are reserved in the transaction of the verdict, so that nobody who knows of it sees them free.
    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 10, reserved: 3, version: 2 });
    assert_eq!(ecosystem.objections(&order.id).await, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn an_order_with_a_fault_in_itself_fails_by_order_details_alone() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = ecosystem.product(2_000_000).await?;
    let plain = || order_of(&product, 1);
    let faults = [
        (NewOrder { price: (-1).into(), ..plain() }, "the price must not be negative"),
        (NewOrder { customer_id: -1, ..plain() }, "the customer id must not be negative, but is -1"),
        (
            NewOrder { quantity: 1_000_001, price: 0.into(), ..plain() },
            "the quantity must be at most 1000000, not 1000001",
        ),
    ];
    for (order, reason) in &faults {
        assert_eq!(ecosystem.order(order).await?, failed(&format!("order-details: {reason}")));
        assert_eq!(ecosystem.objections(&order.id).await, ["order-details"]);
    }
    // One version for each promise, and one for each that is taken back.
    ecosystem.level_becomes(&product, Level { on_hand: 2_000_000, reserved: 0, version: 7 }).await;
    Ok(())
}

#[tokio::test]
async fn an_order_that_costs_too_much_fails_by_fraud_alone() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = ecosystem.product(10).await?;
    let dear = priced(&product, "2000.00")?;

    let reason = "fraud: the orders of one session must stay below 2000.00 USD, and come to 2000.00 USD";
    assert_eq!(ecosystem.order(&dear).await?, failed(reason));
    assert_eq!(ecosystem.objections(&dear.id).await, ["fraud"]);

    ecosystem.level_becomes(&product, Level { on_hand: 10, reserved: 0, version: 3 }).await;
    assert_eq!(ecosystem.order(&priced(&product, "1999.99")?).await?, Verdict::Validated, "a cent less is fine");
    Ok(())
}

#[tokio::test]
async fn an_order_for_more_than_there_is_fails_by_inventory_alone() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = ecosystem.product(10).await?;
    let large = order_of(&product, 11);

    assert_eq!(ecosystem.order(&large).await?, failed("inventory: 11 asked for, 10 available"));
    assert_eq!(ecosystem.objections(&large.id).await, ["inventory"]);

    assert_eq!(ecosystem.order(&order_of(&product, 10)).await?, Verdict::Validated, "it has taken nothing");
    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 10, reserved: 10, version: 2 });
    Ok(())
}

#[tokio::test]
async fn an_order_that_several_checks_fail_is_given_one_verdict_with_one_reason() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = ecosystem.product(10).await?;
    let order = order_of(&product, 0);

    let verdict = ecosystem.order(&order).await?;

    // Both say it of themselves; the first one that is heard is believed.
    let reasons = ["order-details", "inventory"].map(|check| format!("{check}: the quantity must be above 0, not 0"));
    assert!(reasons.map(Verdict::Failed).contains(&verdict), "{verdict:?}");
    assert_eq!(ecosystem.objections(&order.id).await, ["order-details", "inventory"]);
    assert_eq!(ecosystem.verdict(&order.id).await?, verdict, "the second reason changes nothing");
    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 10, reserved: 0, version: 1 });
    Ok(())
}
