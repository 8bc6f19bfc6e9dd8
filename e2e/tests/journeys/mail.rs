//! What customers of the demo find in the mailbox.

use std::time::Duration;

use e2e::{Mail, NewOrder};
use serde_json::json;
use shared_schemas::{EMAIL_OUTBOX, MailKind};
use test_kit::eventually;

use crate::{Ecosystem, ecosystem};

const PATIENCE: Duration = Duration::from_secs(30);

/// Customers of the demo who order nothing else, and where they have their mail.
const BARBARA: (i64, &str) = (2, "barbara@example.com");
const CHRISTOS: (i64, &str) = (3, "christos@example.com");
const DOROTHEA: (i64, &str) = (4, "dorothea@example.com");
const EDSGER: (i64, &str) = (5, "edsger@example.com");

#[tokio::test]
async fn a_customer_who_has_paid_finds_the_confirmation_in_the_mailbox() -> anyhow::Result<()> {
    let ecosystem = ecosystem()?;
    let [order, ..] = orders_by(&ecosystem, BARBARA)?;
    order_and_pay(&ecosystem, &order, "VALIDATED", 15).await?;

    let mails = mails(&ecosystem, BARBARA).await;
    assert_eq!(subjects(&mails), [format!("Your order {} is confirmed", order.id)]);
    assert!(mails[0].source.contains("Dear Barbara"), "{}", mails[0].source);
    assert!(mails[0].source.contains("15.00 USD in all"), "{}", mails[0].source);
    Ok(())
}

#[tokio::test]
async fn a_customer_who_has_not_paid_all_finds_no_confirmation() -> anyhow::Result<()> {
    let ecosystem = ecosystem()?;
    let [order, later] = orders_by(&ecosystem, CHRISTOS)?;
    order_and_pay(&ecosystem, &order, "VALIDATED", 14).await?;
    order_and_pay(&ecosystem, &later, "VALIDATED", 15).await?;

    let mails = mails(&ecosystem, CHRISTOS).await;
    assert_eq!(subjects(&mails), [format!("Your order {} is confirmed", later.id)]);
    assert_eq!(due(&ecosystem, &order).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_customer_whose_order_failed_finds_the_reasons_in_the_mailbox() -> anyhow::Result<()> {
    let ecosystem = ecosystem()?;
    let [order, ..] = orders_by(&ecosystem, DOROTHEA)?;
    let order = NewOrder { product: "STOCKINGS".to_string(), ..order };
    ecosystem.orders.place(&order).await?;

    let mails = mails(&ecosystem, DOROTHEA).await;
    assert_eq!(subjects(&mails), [format!("Your order {} could not be accepted", order.id)]);
    assert!(mails[0].source.contains("inventory: 3 asked for, 0 available"), "{}", mails[0].source);
    Ok(())
}

#[tokio::test]
async fn a_customer_who_pays_for_an_order_that_failed_finds_no_confirmation_of_it() -> anyhow::Result<()> {
    let ecosystem = ecosystem()?;
    let [order, later] = orders_by(&ecosystem, EDSGER)?;
    let order = NewOrder { product: "STOCKINGS".to_string(), ..order };
    order_and_pay(&ecosystem, &order, "FAILED", 15).await?;
    mails(&ecosystem, EDSGER).await;
    order_and_pay(&ecosystem, &later, "VALIDATED", 15).await?;

    let confirmed = format!("Your order {} is confirmed", later.id);
    let mails = eventually("the later order is confirmed", PATIENCE, async || {
        let mails = ecosystem.mailbox.mails(EDSGER.1).await.ok()?;
        mails.iter().any(|mail| mail.subject == confirmed).then_some(mails)
    })
    .await;
    assert_eq!(subjects(&mails), [format!("Your order {} could not be accepted", order.id), confirmed]);
    assert_eq!(due(&ecosystem, &order).await?, [MailKind::Rejection]);
    Ok(())
}

/// Two orders of which what is said of the later one, in whichever topic, is heard later.
fn orders_by(ecosystem: &Ecosystem, (customer_id, _): (i64, &str)) -> anyhow::Result<[NewOrder; 2]> {
    let numbers = ecosystem.topics.numbers_of_one_partition()?;
    Ok([numbers[0], numbers[1]].map(|number| NewOrder { customer_id, ..NewOrder::good(number.to_string()) }))
}

/// Places an order, waits for its verdict, and pays for it under its id.
pub async fn order_and_pay(ecosystem: &Ecosystem, order: &NewOrder, verdict: &str, amount: i32) -> anyhow::Result<()> {
    ecosystem.orders.place(order).await?;
    assert_eq!(ecosystem.orders.verdict(&order.id).await?.state, verdict);
    let payment = json!({"id": order.id, "orderId": order.id, "amount": amount});
    let received = ecosystem.payments[0].post("/v1/payments", &payment).await?;
    assert_eq!(received.status, 201, "{}", received.body);
    Ok(())
}

/// The mails of a customer, as soon as there are any.
pub async fn mails(ecosystem: &Ecosystem, (_, address): (i64, &str)) -> Vec<Mail> {
    eventually(&format!("{address} has mail"), PATIENCE, async || {
        ecosystem.mailbox.mails(address).await.ok().filter(|mails| !mails.is_empty())
    })
    .await
}

/// The mails that were ever due about an order.
async fn due(ecosystem: &Ecosystem, order: &NewOrder) -> anyhow::Result<Vec<MailKind>> {
    let mails = ecosystem.topics.values(&EMAIL_OUTBOX).await?;
    Ok(mails.into_iter().filter(|mail| mail.order_id == order.id).map(|mail| mail.kind).collect())
}

pub fn subjects(mails: &[Mail]) -> Vec<&str> {
    mails.iter().map(|mail| mail.subject.as_str()).collect()
}
