use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use e2e::NewOrder;
use local::Stack;
use reqwest::StatusCode;
use serde_json::Value;
use shared_schemas::ORDER_REQUESTS;
use test_kit::{RawRecord, eventually};

use crate::ecosystem::{Ecosystem, SERVICES};

/// A record of a schema that no registry has: the zero byte, the id, and a datum that means nothing.
const OF_UNKNOWN_SCHEMA: &[u8] = &[0, 0, 0x7f, 0xff, 0xff, b'?'];

const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn while_the_registry_is_away_only_what_needs_it_waits() -> anyhow::Result<()> {
    let ecosystem = Ecosystem::start(Stack::builder().single_instances()).await?;
    // A service learns the ids of what others write when it reads the first of it.
    ecosystem.assert_validates("before").await?;
    ecosystem.part("registry").kill();

    ecosystem.assert_validates("meanwhile").await?;
    let unknown = RawRecord::new("unknown", OF_UNKNOWN_SCHEMA);
    let unknown = ecosystem.topics.broker().write(ORDER_REQUESTS.name(), [unknown])?.remove(0);
    let (behind, elsewhere) = placed_around(&ecosystem, unknown.partition).await?;

    for id in &elsewhere {
        assert_eq!(ecosystem.orders.verdict(id).await?.state, "VALIDATED", "{id} is in another partition");
    }
    for id in &behind {
        assert_eq!(ecosystem.orders.get(id).await?.status, StatusCode::NOT_FOUND, "{id} is behind the unknown record");
    }
    assert!(ecosystem.topics.dead_letters("orders")?.is_empty(), "nobody knows yet that it cannot be read");
    for service in SERVICES {
        ecosystem.part(service).wait_ready(Duration::ZERO)?;
    }

    ecosystem.part("registry").start()?;
    for id in &behind {
        assert_eq!(ecosystem.orders.verdict(id).await?.state, "VALIDATED", "{id} waited, and is not lost");
    }
    let dead = eventually("the unknown record is in the dead letters", ANSWERED_WITHIN, async || {
        ecosystem.topics.dead_letters("orders").ok().filter(|dead| !dead.is_empty())
    })
    .await;
    let [dead] = &dead[..] else { panic!("{dead:?} is more than was written") };
    assert_eq!((dead.key_text(), dead.value.as_deref()), ("unknown", Some(OF_UNKNOWN_SCHEMA)));
    let header = |name| dead.header_value(name).map(String::from_utf8_lossy).unwrap_or_default();
    assert!(header("dead-letter-cause").contains("schema id 8388607 is refused"), "{}", header("dead-letter-cause"));
    assert_eq!(header("dead-letter-topic"), ORDER_REQUESTS.name());
    assert_eq!(header("dead-letter-partition"), unknown.partition.to_string());
    assert_eq!(header("dead-letter-offset"), unknown.offset.to_string());
    Ok(())
}

#[tokio::test]
async fn a_registry_that_was_killed_knows_every_schema_under_the_same_id() -> anyhow::Result<()> {
    let ecosystem = Ecosystem::start(Stack::builder().single_instances()).await?;
    let registry = ecosystem.stack.addresses().schema_registry_url;
    let before = schema_ids(&registry).await?;
    assert!(before.contains_key("orders-value"), "{before:?}");

    ecosystem.part("registry").kill();
    ecosystem.part("postgres").kill();
    ecosystem.part("postgres").start()?;
    ecosystem.part("registry").start()?;

    assert_eq!(schema_ids(&registry).await?, before);
    ecosystem.assert_validates("by-those-who-knew").await?;
    for service in SERVICES {
        ecosystem.part(service).restart()?;
    }
    ecosystem.assert_validates("by-those-who-asked-again").await
}

/// Places orders in all partitions; those in this one of the journal, and the others.
async fn placed_around(ecosystem: &Ecosystem, partition: i32) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    for index in 0..20 {
        let placed = ecosystem.orders.place_async(&NewOrder::good(format!("around-{index}"))).await?;
        assert_eq!(placed.status, StatusCode::ACCEPTED);
    }
    let requests = ecosystem.topics.broker().read_all(ORDER_REQUESTS.name())?;
    let around = requests.iter().filter(|request| request.key_text().starts_with("around-"));
    let (behind, elsewhere): (Vec<_>, Vec<_>) = around.partition(|request| request.partition == partition);
    assert!(!behind.is_empty() && !elsewhere.is_empty(), "20 orders are in more than one partition");
    let ids = |requests: Vec<&RawRecord>| requests.iter().map(|request| request.key_text().to_string()).collect();
    Ok((ids(behind), ids(elsewhere)))
}

/// The id of the newest schema of every subject.
async fn schema_ids(registry: &str) -> anyhow::Result<BTreeMap<String, u64>> {
    let ask = async |path: String| -> anyhow::Result<Value> {
        Ok(reqwest::get(format!("{registry}{path}")).await?.error_for_status()?.json().await?)
    };
    let mut ids = BTreeMap::new();
    for subject in ask("/subjects".to_string()).await?.as_array().context("subjects are a list")? {
        let subject = subject.as_str().context("a subject is text")?;
        let latest = ask(format!("/subjects/{subject}/versions/latest")).await?;
        ids.insert(subject.to_string(), latest["id"].as_u64().context("an id is a number")?);
    }
    Ok(ids)
}
