//! Customers change, and nobody overwrites what they have not seen.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use shared_schemas::{CUSTOMERS, CustomerLevel};
use tokio::task::JoinSet;

use crate::ecosystem::{Ecosystem, shared};

const CREATE: (&str, &str) = ("If-None-Match", "*");

#[tokio::test]
async fn a_customer_is_created_and_changed_from_what_was_seen_and_everybody_hears_of_it() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let (id, path) = new_customer();
    let created = ecosystem.customers.put(&path, CREATE, &customer("BRONZE")).await?;
    assert_eq!((created.status.as_u16(), created.header("etag")?), (201, "\"1\""));

    let seen = ecosystem.customers.get(&path).await?;
    assert_eq!(seen.body, created.body);
    let changed = ecosystem.customers.put(&path, ("If-Match", seen.header("etag")?), &customer("PLATINUM")).await?;
    assert_eq!((changed.status.as_u16(), changed.header("etag")?), (200, "\"2\""));

    let levels = [(1, CustomerLevel::Bronze), (2, CustomerLevel::Platinum)];
    assert_eq!(heard(&ecosystem, id).await?, levels);
    Ok(())
}

#[tokio::test]
async fn of_twenty_changes_at_once_of_the_same_version_one_is_made() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let (id, path) = new_customer();
    assert_eq!(ecosystem.customers.put(&path, CREATE, &customer("BRONZE")).await?.status, 201);
    let mut clients = JoinSet::new();
    for _ in 0..20 {
        let (customers, path) = (ecosystem.customers.clone(), path.clone());
        clients.spawn(async move { customers.put(&path, ("If-Match", "\"1\""), &customer("GOLD")).await });
    }
    let answers: Vec<_> = clients.join_all().await.into_iter().collect::<Result<_, _>>()?;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 19));
    assert!(lost.iter().all(|answer| answer.status == 412 && answer.body["customer"] == won[0].body), "{lost:?}");
    assert_eq!(heard(&ecosystem, id).await?, [(1, CustomerLevel::Bronze), (2, CustomerLevel::Gold)]);
    Ok(())
}

#[tokio::test]
async fn a_change_of_what_was_not_seen_is_refused_and_nobody_hears_of_it() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let (id, path) = new_customer();
    assert_eq!(ecosystem.customers.put(&path, ("If-Match", "\"1\""), &customer("GOLD")).await?.status, 412);
    assert_eq!(ecosystem.customers.get(&format!("{path}?timeout=0")).await?.status, 404);
    assert_eq!(ecosystem.customers.put(&path, CREATE, &customer("BRONZE")).await?.status, 201);
    assert_eq!(ecosystem.customers.put(&path, ("If-Match", "\"2\""), &customer("GOLD")).await?.status, 412);
    assert_eq!(heard(&ecosystem, id).await?, [(1, CustomerLevel::Bronze)]);
    Ok(())
}

/// The id of a customer of its own, beyond those of the demo, and where it is.
fn new_customer() -> (i64, String) {
    static NEXT: AtomicI64 = AtomicI64::new(1_000_000);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    (id, format!("/v1/customers/{id}"))
}

fn customer(level: &str) -> Value {
    json!({
        "firstName": "Ada", "lastName": "Miller", "email": "ada@example.com", "address": "1 Mill Lane", "level": level,
    })
}

/// What everybody heard of a customer.
async fn heard(ecosystem: &Ecosystem, id: i64) -> anyhow::Result<Vec<(i32, CustomerLevel)>> {
    let mut customers = ecosystem.topics.values(&CUSTOMERS).await?;
    customers.retain(|customer| customer.id == id);
    Ok(customers.iter().map(|customer| (customer.version, customer.level)).collect())
}
