//! Customers who are new to the demo: where they have their mail, and what their level makes of their orders.

use anyhow::Context;
use e2e::NewOrder;
use serde_json::{Value, json};
use shared_schemas::{CustomerLevel, ORDERS_BRONZE, ORDERS_GOLD, ORDERS_PLATINUM, ORDERS_SILVER, OrderEnriched};

use crate::mail::{mails, order_and_pay, subjects};
use crate::{Ecosystem, ecosystem};

#[tokio::test]
async fn a_customer_who_moves_before_the_payment_has_mail_at_the_new_address() -> anyhow::Result<()> {
    let (ecosystem, id) = (ecosystem()?, 2_000_000_021);
    created(&ecosystem, id, "old@levels.example", "SILVER").await?;
    let order = order(id);
    ecosystem.orders.place(&order).await?;
    assert_eq!(ecosystem.orders.verdict(&order.id).await?.state, "VALIDATED");
    assert_eq!(moving(&ecosystem, id, "\"1\"", "new@levels.example").await?, 200);

    order_and_pay(&ecosystem, &order, "VALIDATED", 15).await?;
    let found = mails(&ecosystem, (id, "new@levels.example")).await;
    assert_eq!(subjects(&found), [format!("Your order {} is confirmed", order.id)]);
    assert!(ecosystem.mailbox.mails("old@levels.example").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_customer_whose_move_is_refused_has_mail_at_the_old_address() -> anyhow::Result<()> {
    let (ecosystem, id) = (ecosystem()?, 2_000_000_022);
    created(&ecosystem, id, "stays@levels.example", "SILVER").await?;
    assert_eq!(moving(&ecosystem, id, "\"7\"", "gone@levels.example").await?, 412);

    let order = order(id);
    order_and_pay(&ecosystem, &order, "VALIDATED", 15).await?;
    let found = mails(&ecosystem, (id, "stays@levels.example")).await;
    assert_eq!(subjects(&found), [format!("Your order {} is confirmed", order.id)]);
    assert!(ecosystem.mailbox.mails("gone@levels.example").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_confirmed_order_is_told_to_those_who_look_after_customers_of_its_level() -> anyhow::Result<()> {
    let ecosystem = ecosystem()?;
    for (id, level) in [(2_000_000_031, "PLATINUM"), (2_000_000_032, "BRONZE")] {
        let address = format!("{id}@levels.example");
        created(&ecosystem, id, &address, level).await?;
        order_and_pay(&ecosystem, &order(id), "VALIDATED", 15).await?;
        mails(&ecosystem, (id, &address)).await;
    }
    assert_eq!(levels(&ecosystem, 2_000_000_031).await?, [CustomerLevel::Platinum]);
    assert_eq!(levels(&ecosystem, 2_000_000_032).await?, [CustomerLevel::Bronze]);
    Ok(())
}

#[tokio::test]
async fn an_order_that_failed_is_told_to_none_of_them() -> anyhow::Result<()> {
    let (ecosystem, id) = (ecosystem()?, 2_000_000_033);
    created(&ecosystem, id, "in-vain@levels.example", "GOLD").await?;
    let order = NewOrder { product: "STOCKINGS".to_string(), ..order(id) };
    order_and_pay(&ecosystem, &order, "FAILED", 15).await?;
    mails(&ecosystem, (id, "in-vain@levels.example")).await;
    assert_eq!(levels(&ecosystem, id).await?, []);
    Ok(())
}

fn path(id: i64) -> String {
    format!("/v1/customers/{id}")
}

fn order(customer_id: i64) -> NewOrder {
    NewOrder { customer_id, ..NewOrder::good(format!("order-of-{customer_id}")) }
}

fn customer(email: &str, level: &str) -> Value {
    json!({"firstName": "Niklaus", "lastName": "Miller", "email": email, "address": "1 Mill Lane", "level": level})
}

async fn created(ecosystem: &Ecosystem, id: i64, email: &str, level: &str) -> anyhow::Result<()> {
    let created = ecosystem.customers[0].put(&path(id), ("If-None-Match", "*"), &customer(email, level)).await?;
    assert_eq!(created.status, 201, "{}", created.body);
    Ok(())
}

/// What a customer is answered who moves, having seen that version.
async fn moving(ecosystem: &Ecosystem, id: i64, version: &str, email: &str) -> anyhow::Result<u16> {
    let last = ecosystem.customers.last().context("there is an instance of customers")?;
    let moved = last.put(&path(id), ("If-Match", version), &customer(email, "SILVER")).await?;
    Ok(moved.status.as_u16())
}

/// The levels under which the orders of a customer were told on.
async fn levels(ecosystem: &Ecosystem, customer_id: i64) -> anyhow::Result<Vec<CustomerLevel>> {
    let mut levels = Vec::new();
    for topic in [&ORDERS_PLATINUM, &ORDERS_GOLD, &ORDERS_SILVER, &ORDERS_BRONZE] {
        let told: Vec<OrderEnriched> = ecosystem.topics.values(topic).await?;
        levels.extend(told.iter().filter(|order| order.customer_id == customer_id).map(|order| order.customer_level));
    }
    Ok(levels)
}
