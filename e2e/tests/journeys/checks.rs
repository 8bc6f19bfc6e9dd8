//! What each check objects to, as a user is told it.

use std::time::Duration;

use e2e::NewOrder;
use reqwest::StatusCode;
use shared_schemas::WAREHOUSE_INVENTORY;
use test_kit::{eventually, unique};

use crate::{Ecosystem, ecosystem};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_order_at_a_negative_price_fails_by_its_details() -> anyhow::Result<()> {
    let order = NewOrder { price: (-1).into(), ..NewOrder::good(unique("order")) };
    assert_eq!(why(&ecosystem()?, &order).await?, "order-details: the price must not be negative");
    Ok(())
}

#[tokio::test]
async fn a_customer_who_spends_too_much_fails_by_fraud() -> anyhow::Result<()> {
    let ecosystem = ecosystem()?;
    let first = NewOrder { quantity: 10, price: 100.into(), ..NewOrder::good(unique("order")) };
    let second = NewOrder { id: unique("order"), ..first.clone() };
    let reason = "fraud: the orders of one session must stay below 2000.00 USD, and come to 2000.00 USD";

    assert_eq!(ecosystem.orders.place(&first).await?.status, StatusCode::CREATED);
    assert_eq!(ecosystem.orders.verdict(&first.id).await?.state, "VALIDATED");
    assert_eq!(why(&ecosystem, &second).await?, reason);
    Ok(())
}

#[tokio::test]
async fn a_product_that_the_shop_does_not_have_fails_by_inventory() -> anyhow::Result<()> {
    let order = NewOrder { product: "STOCKINGS".into(), ..NewOrder::good(unique("order")) };
    assert_eq!(why(&ecosystem()?, &order).await?, "inventory: 3 asked for, 0 available");
    Ok(())
}

/// Only this test orders any of the twenty there are.
#[tokio::test]
async fn underpants_are_sold_until_there_are_none_left() -> anyhow::Result<()> {
    let ecosystem = ecosystem()?;
    let underpants = |quantity| NewOrder { product: "UNDERPANTS".into(), quantity, ..NewOrder::good(unique("order")) };
    eventually("the underpants of the seed are counted", PATIENCE, async || {
        (level(&ecosystem).await.ok()? == (20, 0)).then_some(())
    })
    .await;

    let many = underpants(15);
    ecosystem.orders.place(&many).await?;
    assert_eq!(ecosystem.orders.verdict(&many.id).await?.state, "VALIDATED");
    assert_eq!(level(&ecosystem).await?, (20, 15));

    assert_eq!(why(&ecosystem, &underpants(6)).await?, "inventory: 6 asked for, 5 available");

    let rest = underpants(5);
    ecosystem.orders.place(&rest).await?;
    assert_eq!(ecosystem.orders.verdict(&rest.id).await?.state, "VALIDATED");
    assert_eq!(level(&ecosystem).await?, (20, 20));
    assert_eq!(why(&ecosystem, &underpants(1)).await?, "inventory: 1 asked for, 0 available");
    Ok(())
}

/// Places an order that fails, and reads why through every instance.
async fn why(ecosystem: &Ecosystem, order: &NewOrder) -> anyhow::Result<String> {
    let created = ecosystem.orders.place(order).await?;
    assert_eq!(created.status, StatusCode::CREATED, "what is bad business is no bad request: {}", created.body);
    let failed = ecosystem.orders.verdict(&order.id).await?;
    assert_eq!((failed.state.as_str(), failed.version), ("FAILED", 2), "{failed:?}");
    for instance in &ecosystem.instances {
        assert_eq!(instance.get(&order.id).await?.order()?, failed);
    }
    let [reason] = &failed.reasons[..] else { panic!("there is one reason, not {:?}", failed.reasons) };
    Ok(reason.clone())
}

/// How many underpants are on hand, and how many of them are reserved.
async fn level(ecosystem: &Ecosystem) -> anyhow::Result<(i64, i64)> {
    let levels = ecosystem.topics.values(&WAREHOUSE_INVENTORY).await?;
    let last = levels.into_iter().rfind(|level| level.product == "UNDERPANTS");
    Ok(last.map_or((0, 0), |level| (level.on_hand, level.reserved)))
}
