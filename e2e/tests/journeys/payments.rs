use e2e::NewOrder;
use serde_json::json;
use test_kit::unique;

use crate::ecosystem;

#[tokio::test]
async fn an_order_is_placed_validated_and_paid_for_and_the_payment_read_through_any_instance() -> anyhow::Result<()> {
    let ecosystem = ecosystem()?;
    let order = NewOrder::good(unique("order"));
    ecosystem.orders.place(&order).await?;
    assert_eq!(ecosystem.orders.verdict(&order.id).await?.state, "VALIDATED");

    for paid_through in &ecosystem.payments {
        let id = unique("payment");
        let payment = json!({"id": id, "orderId": order.id, "amount": 15});
        let received = paid_through.post("/v1/payments", &payment).await?;
        assert_eq!(received.status, 201, "{}", received.body);
        let location = received.header("location")?;
        for read_through in &ecosystem.payments {
            let read = read_through.get(&format!("{location}?timeout=0")).await?;
            assert_eq!((read.status.as_u16(), &read.body), (200, &received.body));
        }
    }
    Ok(())
}

#[tokio::test]
async fn another_payment_under_the_same_id_is_refused_by_any_instance() -> anyhow::Result<()> {
    let payments = ecosystem()?.payments;
    let mut payment = json!({"id": unique("payment"), "orderId": unique("order"), "amount": 15});
    let received = payments[0].post("/v1/payments", &payment).await?;
    payment["amount"] = json!(16);
    for instance in &payments {
        let refused = instance.post("/v1/payments", &payment).await?;
        assert_eq!((refused.status.as_u16(), &refused.body["payment"]), (409, &received.body));
    }
    Ok(())
}
