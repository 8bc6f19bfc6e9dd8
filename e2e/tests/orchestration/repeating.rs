//! Whoever places an order many times, all at once, has placed it once.

use e2e::{Answer, NewOrder};
use reqwest::StatusCode;
use serde_json::Value;
use shared_schemas::{ORDER_REQUESTS, ORDERS};
use tokio::task::JoinSet;

use crate::ecosystem::{CHECKS, Ecosystem, Level, Verdict, order_of, shared};

const TIMES: usize = 50;

#[tokio::test]
async fn an_order_that_is_placed_fifty_times_at_once_is_one_order() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = ecosystem.product(100).await?;
    let order = order_of(&product, 2);

    let answers = placed_at_once(&ecosystem, vec![order.clone(); TIMES]).await?;

    let facts: Vec<Value> = answers.iter().map(facts).collect();
    assert!(answers.iter().all(|answer| answer.status == StatusCode::CREATED), "{:?}", statuses(&answers));
    assert!(facts.iter().all(|shown| *shown == facts[0] && shown["id"] == order.id), "{facts:?}");
    assert_eq!(ecosystem.verdict(&order.id).await?, Verdict::Validated);
    assert_decided_once(&ecosystem, &order.id, TIMES).await?;
    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 100, reserved: 2, version: 2 });
    Ok(())
}

#[tokio::test]
async fn of_fifty_orders_at_once_under_one_id_one_is_created_and_the_others_are_refused() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = ecosystem.product(100).await?;
    let first = order_of(&product, 1);
    let orders: Vec<NewOrder> = (1..).take(TIMES).map(|quantity| NewOrder { quantity, ..first.clone() }).collect();

    let answers = placed_at_once(&ecosystem, orders).await?;

    let (created, refused): (Vec<&Answer>, _) = answers.iter().partition(|answer| answer.status == StatusCode::CREATED);
    let [created] = created[..] else { panic!("one is created, not {:?}", statuses(&answers)) };
    assert!(refused.iter().all(|answer| answer.status == StatusCode::CONFLICT), "{:?}", statuses(&answers));
    let shown: Vec<&Value> = refused.iter().map(|answer| &answer.body["order"]["quantity"]).collect();
    assert!(shown.iter().all(|shown| **shown == created.body["quantity"]), "all are told which one stands: {shown:?}");
    assert_eq!(ecosystem.verdict(&first.id).await?, Verdict::Validated);
    assert_decided_once(&ecosystem, &first.id, TIMES).await?;
    let reserved = i64::from(created.order()?.quantity);
    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 100, reserved, version: 2 });
    Ok(())
}

#[tokio::test]
async fn fifty_other_orders_under_the_id_of_one_that_stands_are_refused() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let product = ecosystem.product(100).await?;
    let order = order_of(&product, 1);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);

    let others = vec![NewOrder { quantity: 2, ..order.clone() }; TIMES];
    let answers = placed_at_once(&ecosystem, others).await?;

    assert!(answers.iter().all(|answer| answer.status == StatusCode::CONFLICT), "{:?}", statuses(&answers));
    assert_decided_once(&ecosystem, &order.id, 1 + TIMES).await?;
    assert_eq!(ecosystem.level(&product).await?, Level { on_hand: 100, reserved: 1, version: 2 });
    Ok(())
}

async fn placed_at_once(ecosystem: &Ecosystem, orders: Vec<NewOrder>) -> anyhow::Result<Vec<Answer>> {
    let mut placed = JoinSet::new();
    for order in orders {
        let client = ecosystem.orders.clone();
        placed.spawn(async move { client.place(&order).await });
    }
    placed.join_all().await.into_iter().collect()
}

/// An order that was requested so many times has two versions, and each check has judged it once.
async fn assert_decided_once(ecosystem: &Ecosystem, id: &str, requests: usize) -> anyhow::Result<()> {
    let journaled = ecosystem.topics.values(&ORDER_REQUESTS).await?;
    assert_eq!(journaled.iter().filter(|request| request.order_id == id).count(), requests, "all are journaled");
    let versions = ecosystem.topics.values(&ORDERS).await?;
    let versions: Vec<i32> = versions.iter().filter(|order| order.id == id).map(|order| order.version).collect();
    assert_eq!(versions, [1, 2]);
    for check in CHECKS {
        let said = ecosystem.said(check, id).await?;
        assert_eq!(said.len(), 1, "{said:?}");
    }
    Ok(())
}

/// What an answer shows of an order, without that which changes when its verdict is given.
fn facts(answer: &Answer) -> Value {
    let mut facts = answer.body.clone();
    if let Value::Object(fields) = &mut facts {
        fields.retain(|name, _| !["state", "version", "updatedAt"].contains(&name.as_str()));
    }
    facts
}

fn statuses(answers: &[Answer]) -> Vec<StatusCode> {
    answers.iter().map(|answer| answer.status).collect()
}
