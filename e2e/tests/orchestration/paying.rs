//! Orders are paid for, each payment once.

use e2e::NewOrder;
use serde_json::{Value, json};
use shared_schemas::{PAYMENTS, Payment};
use test_kit::unique;
use tokio::task::JoinSet;

use crate::ecosystem::{Ecosystem, Verdict, order_of, shared};

#[tokio::test]
async fn a_validated_order_is_paid_for_and_the_payment_is_said_once() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let order = order_of("JUMPERS", 3);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    let payment = payment(&order, "15.00")?;

    let received = ecosystem.payments.post("/v1/payments", &payment).await?;
    assert_eq!(received.status, 201, "{}", received.body);
    let again = ecosystem.payments.post("/v1/payments", &payment).await?;
    assert_eq!((again.status.as_u16(), &again.body), (201, &received.body));

    let said = said(&ecosystem, &payment).await?;
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((said[0].order_id.as_str(), said[0].amount_minor), (order.id.as_str(), 1500));
    Ok(())
}

#[tokio::test]
async fn of_twenty_payments_at_once_under_one_id_one_counts_and_the_others_are_refused() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let first = payment(&order_of("JUMPERS", 1), "1.00")?;
    let mut clients = JoinSet::new();
    for amount in 1..=20 {
        let (payments, mut other) = (ecosystem.payments.clone(), first.clone());
        other["amount"] = json!(amount);
        clients.spawn(async move { payments.post("/v1/payments", &other).await });
    }
    let answers: Vec<_> = clients.join_all().await.into_iter().collect::<Result<_, _>>()?;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!(won.len(), 1);
    assert!(lost.iter().all(|answer| answer.status == 409 && answer.body["payment"] == won[0].body), "{lost:?}");
    assert_eq!(said(&ecosystem, &first).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_payment_of_nothing_is_refused_and_nobody_hears_of_it() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let nothing = payment(&order_of("JUMPERS", 1), "0.00")?;
    let refused = ecosystem.payments.post("/v1/payments", &nothing).await?;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(refused.body["errors"][0]["pointer"], "#/amount");
    assert_eq!(said(&ecosystem, &nothing).await?, []);
    Ok(())
}

/// A payment of its own for an order.
fn payment(order: &NewOrder, amount: &str) -> anyhow::Result<Value> {
    Ok(json!({"id": unique("payment"), "orderId": order.id, "amount": amount.parse::<serde_json::Number>()?}))
}

/// What everybody heard of a payment.
async fn said(ecosystem: &Ecosystem, payment: &Value) -> anyhow::Result<Vec<Payment>> {
    let mut payments = ecosystem.topics.values(&PAYMENTS).await?;
    payments.retain(|said| payment["id"] == said.id);
    Ok(payments)
}
