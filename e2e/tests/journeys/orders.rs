use std::time::Duration;

use e2e::NewOrder;
use reqwest::StatusCode;
use test_kit::unique;

use crate::ecosystem;

#[tokio::test]
async fn an_order_is_created_and_soon_validated() -> anyhow::Result<()> {
    let orders = ecosystem()?.orders;
    let order = NewOrder::good(unique("order"));

    let created = orders.place(&order).await?;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    assert_eq!(created.header("location")?, format!("/v1/orders/{}", order.id));

    let validated = orders.get_validated(&order.id, Duration::from_secs(10)).await?;
    assert_eq!(validated.status, StatusCode::OK, "{}", validated.body);
    let validated = validated.order()?;
    assert_eq!((validated.state.as_str(), validated.version), ("VALIDATED", 2));
    assert_eq!(validated.reasons, [""; 0]);
    let asked = (&order.id, order.customer_id, &order.product, order.quantity, order.price.as_f64());
    let got = (&validated.id, validated.customer_id, &validated.product, validated.quantity, validated.price.as_f64());
    assert_eq!(got, asked);
    Ok(())
}

#[tokio::test]
async fn an_order_of_less_than_nothing_fails_and_says_why() -> anyhow::Result<()> {
    let orders = ecosystem()?.orders;
    let order = NewOrder::bad(unique("order"));

    assert_eq!(orders.place(&order).await?.status, StatusCode::CREATED, "bad business is no bad request");

    let failed = orders.verdict(&order.id).await?;
    assert_eq!((failed.state.as_str(), failed.version), ("FAILED", 2));
    assert!(failed.reasons.len() == 1 && failed.reasons[0].contains("quantity"), "{:?}", failed.reasons);
    Ok(())
}

#[tokio::test]
async fn an_order_that_is_placed_again_is_the_same_order() -> anyhow::Result<()> {
    let orders = ecosystem()?.orders;
    let order = NewOrder::good(unique("order"));

    for _ in 0..3 {
        assert_eq!(orders.place(&order).await?.status, StatusCode::CREATED);
    }
    assert_eq!(orders.verdict(&order.id).await?.version, 2);
    assert_eq!(orders.place(&order).await?.status, StatusCode::CREATED, "after the verdict as before it");
    assert_eq!(orders.get(&order.id).await?.order()?.version, 2);
    Ok(())
}

#[tokio::test]
async fn another_order_under_the_same_id_is_refused() -> anyhow::Result<()> {
    let orders = ecosystem()?.orders;
    let order = NewOrder::good(unique("order"));
    let other = NewOrder { quantity: order.quantity + 1, ..order.clone() };
    assert_eq!(orders.place(&order).await?.status, StatusCode::CREATED);

    let refused = orders.place(&other).await?;

    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);
    assert_eq!(refused.header("content-type")?, "application/problem+json");
    assert_eq!(orders.verdict(&order.id).await?.quantity, order.quantity, "the first one stands");
    Ok(())
}

#[tokio::test]
async fn of_two_orders_at_once_under_one_id_one_is_created_and_one_refused() -> anyhow::Result<()> {
    let orders = ecosystem()?.orders;
    let one = NewOrder::good(unique("order"));
    let other = NewOrder { quantity: one.quantity + 1, ..one.clone() };

    let (first, second) = tokio::join!(orders.place(&one), orders.place(&other));

    let mut statuses = [first?.status, second?.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::CREATED, StatusCode::CONFLICT]);
    Ok(())
}
