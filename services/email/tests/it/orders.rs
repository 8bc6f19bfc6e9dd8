//! From orders, payments and customers to mails.

use shared_schemas::{CUSTOMERS, EMAIL_OUTBOX, ORDERS, ORDERS_GOLD, OrderEnriched, OrderState, PAYMENTS};
use test_kit::{RawRecord, eventually};

use crate::harness::{DEADLINE, Sender, customer, order, payment};
use crate::provider::Provider;

async fn await_deliveries(provider: &Provider, count: usize) -> Vec<String> {
    let deliveries = eventually(&format!("{count} mails are there"), DEADLINE, async || {
        Some(provider.deliveries()).filter(|deliveries| deliveries.len() >= count)
    })
    .await;
    assert_eq!(deliveries.values().max(), Some(&1), "each is sent once");
    deliveries.into_keys().collect()
}

#[tokio::test]
async fn orders_that_are_paid_before_and_after_validation_get_one_mail_each() -> anyhow::Result<()> {
    let provider = Provider::default();
    let email = Sender::to_provider(&provider.listening().await?, &[])?.started()?;
    email.say(&CUSTOMERS, &[customer(7)])?;
    email.say(&PAYMENTS, &[payment("before"), payment("before")])?;
    email.say(&ORDERS, &[order("before", 7, OrderState::Created), order("before", 7, OrderState::Validated)])?;
    await_deliveries(&provider, 1).await;
    email.say(&ORDERS, &[order("after", 7, OrderState::Validated), order("failed", 7, OrderState::Failed)])?;
    await_deliveries(&provider, 2).await;
    email.say(&PAYMENTS, &[payment("after"), payment("after")])?;
    let keys = await_deliveries(&provider, 3).await;
    assert_eq!(keys, ["after/confirmation", "before/confirmation", "failed/rejection"]);
    let confirmed: Vec<OrderEnriched> = email.service.values(&ORDERS_GOLD, &email.schemas)?;
    let mut confirmed: Vec<_> = confirmed.into_iter().map(|order| order.order_id).collect();
    confirmed.sort();
    assert_eq!(confirmed, ["after", "before"]);
    email.await_done().await
}

#[tokio::test]
async fn an_order_waits_for_its_customer_and_is_given_up_in_the_end() -> anyhow::Result<()> {
    let provider = Provider::default();
    let settings = [("CUSTOMER_WAIT_MS", "6000")];
    let email = Sender::to_provider(&provider.listening().await?, &settings)?.started()?;
    email.say(&ORDERS, &[order("known", 7, OrderState::Failed), order("unknown", 8, OrderState::Failed)])?;
    email.say(&CUSTOMERS, &[customer(7)])?;
    assert_eq!(await_deliveries(&provider, 1).await, ["known/rejection"]);
    let letter =
        eventually("the other one is given up", DEADLINE, async || email.service.dead_letters().ok()?.pop()).await;
    assert_eq!(letter.key_text(), "unknown");
    assert_eq!(letter.header_value("dead-letter-cause"), Some(&b"the customer is unknown"[..]));
    Ok(())
}

#[tokio::test]
async fn killed_while_orders_come_in_it_mails_each_once() -> anyhow::Result<()> {
    let provider = Provider::default();
    let email = Sender::to_provider(&provider.listening().await?, &[])?.started()?;
    email.say(&CUSTOMERS, &(0..9).map(customer).collect::<Vec<_>>())?;
    for round in 0..5 {
        let ids: Vec<String> = (0..100).map(|number| format!("{round}-{number}")).collect();
        email.say(&PAYMENTS, &ids.iter().map(|id| payment(id)).collect::<Vec<_>>())?;
        let orders = ids.iter().enumerate().map(|(number, id)| order(id, number as i64 % 9, OrderState::Validated));
        email.say(&ORDERS, &orders.collect::<Vec<_>>())?;
        eventually("it has begun with them", DEADLINE, async || {
            (provider.deliveries().len() > round * 100 + 10).then_some(())
        })
        .await;
        email.service.kill()?;
        email.service.start()?;
    }
    eventually("all mails are there", DEADLINE, async || (provider.deliveries().len() >= 500).then_some(())).await;
    email.await_done().await?;
    let outbox: Vec<RawRecord> = email.service.read_all(EMAIL_OUTBOX.name())?;
    assert_eq!(
        (outbox.len(), provider.deliveries().len()),
        (500, 500),
        "the outbox has each once, and so has the provider"
    );
    provider.assert_repetitions_are_equal();
    Ok(())
}
