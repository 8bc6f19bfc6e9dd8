//! Customers hear of their orders by mail: once of each, wherever they live by then.

use e2e::NewOrder;
use local::Stack;
use shared_schemas::{MailKind, ORDERS_BRONZE, ORDERS_GOLD, ORDERS_PLATINUM, ORDERS_SILVER, PAYMENTS};
use test_kit::eventually;

use crate::ecosystem::{Ecosystem, OwnEcosystem, PATIENCE, Verdict, failed, shared};
use crate::shop::{Shop, confirmation, rejection};

/// Why an order in vain fails.
const NONE_THERE: &str = "inventory: 3 asked for, 0 available";

#[tokio::test]
async fn an_order_that_is_paid_after_its_validation_is_confirmed_once() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("GOLD").await?;
    let order = shop.order(&customer);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    assert_eq!(shop.due(&order).await?, [], "it is not paid yet");

    shop.pay(&order, "15.00").await?;

    let mail = shop.mails(&customer, 1).await.remove(0);
    assert!(mail.source.contains("3 x JUMPERS at 5.00 USD, 15.00 USD in all"), "{}", mail.source);
    assert_eq!(shop.subjects(&customer).await?, [confirmation(&order)]);
    Ok(())
}

#[tokio::test]
async fn an_order_that_is_paid_before_it_is_placed_is_confirmed_once() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("GOLD").await?;
    let order = shop.order(&customer);
    shop.pay(&order, "15.00").await?;
    assert_eq!(shop.due(&order).await?, [], "it is not validated yet");

    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);

    shop.mails(&customer, 1).await;
    assert_eq!(shop.subjects(&customer).await?, [confirmation(&order)]);
    Ok(())
}

#[tokio::test]
async fn payments_that_come_to_the_price_together_bring_one_mail() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("SILVER").await?;
    let order = shop.order(&customer);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    shop.pay(&order, "5.00").await?;
    shop.pay(&order, "9.99").await?;
    let last = shop.pay(&order, "0.01").await?;
    shop.mails(&customer, 1).await;
    shop.pay(&order, "15.00").await?;

    assert_eq!(shop.subjects(&customer).await?, [confirmation(&order)]);
    let payments = ecosystem.topics.values(&PAYMENTS).await?;
    let paid_at = payments.iter().find(|payment| last["id"] == payment.id).map(|payment| payment.paid_at);
    let due = shop.due(&order).await?;
    assert_eq!(due.iter().map(|mail| Some(mail.due_at)).collect::<Vec<_>>(), [paid_at], "when the last cent was paid");
    Ok(())
}

#[tokio::test]
async fn payments_that_do_not_come_to_the_price_confirm_nothing() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("SILVER").await?;
    let order = shop.order(&customer);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    let too_little = shop.pay(&order, "14.99").await?;
    assert_eq!(ecosystem.payments.post("/v1/payments", &too_little).await?.status, 201, "repeated, it counts once");
    shop.pay_in(&order, "15.00", "EUR").await?;
    assert_eq!(shop.due(&order).await?, []);
    assert_eq!(shop.subjects(&customer).await?, [""; 0]);

    shop.pay(&order, "0.01").await?;
    shop.mails(&customer, 1).await;
    Ok(())
}

#[tokio::test]
async fn a_failed_order_is_rejected_with_its_reasons() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("GOLD").await?;
    let order = shop.order_in_vain(&customer);
    assert_eq!(ecosystem.order(&order).await?, failed(NONE_THERE));

    let mail = shop.mails(&customer, 1).await.remove(0);
    assert!(mail.source.contains(NONE_THERE), "{}", mail.source);
    assert_eq!(shop.subjects(&customer).await?, [rejection(&order)]);
    Ok(())
}

#[tokio::test]
async fn the_payments_of_a_failed_order_bring_no_mail() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("GOLD").await?;
    let order = shop.order_in_vain(&customer);
    shop.pay(&order, "15.00").await?;
    assert_eq!(ecosystem.order(&order).await?, failed(NONE_THERE));
    shop.mails(&customer, 1).await;
    shop.pay(&order, "15.00").await?;

    let due = shop.due(&order).await?;
    assert_eq!(due.iter().map(|mail| mail.kind).collect::<Vec<_>>(), [MailKind::Rejection]);
    assert_eq!(shop.subjects(&customer).await?, [rejection(&order)]);
    Ok(())
}

#[tokio::test]
async fn a_customer_who_moves_between_order_and_payment_has_mail_at_the_new_address() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let before = shop.customer("BRONZE").await?;
    let order = shop.order(&before);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    let mut customer = before.clone();
    assert_eq!(shop.moves(&mut customer, 1).await?, 200);
    shop.all_is_heard().await?;
    shop.pay(&order, "15.00").await?;

    shop.mails(&customer, 1).await;
    assert_eq!(shop.subjects(&customer).await?, [confirmation(&order)]);
    assert_eq!(shop.subjects(&before).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_customer_whose_move_is_refused_has_mail_at_the_old_address() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("BRONZE").await?;
    let order = shop.order(&customer);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    let mut elsewhere = customer.clone();
    assert_eq!(shop.moves(&mut elsewhere, 2).await?, 412, "there is no such version");
    shop.all_is_heard().await?;
    shop.pay(&order, "15.00").await?;

    shop.mails(&customer, 1).await;
    assert_eq!(shop.subjects(&customer).await?, [confirmation(&order)]);
    assert_eq!(shop.subjects(&elsewhere).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn an_order_waits_for_a_customer_who_is_created_after_it() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.stranger();
    let order = shop.order(&customer);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    shop.pay(&order, "15.00").await?;
    assert_eq!(shop.due(&order).await?, [], "nobody knows where to");

    shop.create(&customer, "PLATINUM").await?;

    shop.mails(&customer, 1).await;
    assert_eq!(shop.subjects(&customer).await?, [confirmation(&order)]);
    assert_eq!(levels(&ecosystem, &order).await?, ["platinum"]);
    Ok(())
}

#[tokio::test]
async fn an_order_whose_customer_nobody_creates_in_time_is_given_up() -> anyhow::Result<()> {
    let builder = Stack::builder().single_instances().env("email", "CUSTOMER_WAIT_MS", "3000");
    let own = OwnEcosystem::start(builder).await?;
    let ecosystem = &own.ecosystem;
    let mut shop = Shop::new(ecosystem)?;
    let customer = shop.stranger();
    let order = shop.order(&customer);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    shop.pay(&order, "15.00").await?;

    let letter = eventually("the order is given up", PATIENCE, async || {
        ecosystem.topics.dead_letters("email").ok()?.into_iter().find(|letter| letter.key_text() == order.id)
    })
    .await;
    assert_eq!(letter.header_value("dead-letter-cause"), Some(&b"the customer is unknown"[..]));

    shop.create(&customer, "PLATINUM").await?;
    assert_eq!(shop.due(&order).await?, [], "too late");
    assert_eq!(levels(ecosystem, &order).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_confirmed_order_is_in_the_topic_of_its_customers_level_and_in_no_other() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let mut orders = Vec::new();
    for level in ["platinum", "gold", "silver", "bronze"] {
        let customer = shop.customer(&level.to_uppercase()).await?;
        let order = shop.order(&customer);
        assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
        shop.pay(&order, "15.00").await?;
        orders.push((level, customer, order));
    }
    for (level, customer, order) in &orders {
        shop.mails(customer, 1).await;
        assert_eq!(levels(&ecosystem, order).await?, [*level]);
    }
    Ok(())
}

#[tokio::test]
async fn an_order_that_is_not_confirmed_is_in_the_topic_of_no_level() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("GOLD").await?;
    let (in_vain, unpaid) = (shop.order_in_vain(&customer), shop.order(&customer));
    assert_eq!(ecosystem.order(&in_vain).await?, failed(NONE_THERE));
    shop.pay(&in_vain, "15.00").await?;
    assert_eq!(ecosystem.order(&unpaid).await?, Verdict::Validated);
    shop.all_is_heard().await?;
    for order in [in_vain, unpaid] {
        assert_eq!(levels(&ecosystem, &order).await?, [""; 0]);
    }
    Ok(())
}

/// The levels in whose topics an order is, as often as it is.
async fn levels(ecosystem: &Ecosystem, order: &NewOrder) -> anyhow::Result<Vec<&'static str>> {
    let topics = [
        ("platinum", &ORDERS_PLATINUM),
        ("gold", &ORDERS_GOLD),
        ("silver", &ORDERS_SILVER),
        ("bronze", &ORDERS_BRONZE),
    ];
    let mut levels = Vec::new();
    for (level, topic) in topics {
        let confirmed = ecosystem.topics.values(topic).await?;
        levels.extend(confirmed.iter().filter(|confirmed| confirmed.order_id == order.id).map(|_| level));
    }
    Ok(levels)
}
