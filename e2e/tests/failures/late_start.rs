use std::time::Duration;

use e2e::NewOrder;
use local::Stack;
use reqwest::StatusCode;
use serde_json::Value;
use shared_schemas::WAREHOUSE_INVENTORY;
use test_kit::eventually;

use crate::ecosystem::Ecosystem;

const SERVICES: [&str; 8] =
    ["orders", "order-details", "fraud", "inventory", "payments", "customers", "email", "views"];

/// How long a service may take to notice what came, or did not.
const NOTICED_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn services_wait_for_what_they_need_and_say_what_it_is() -> anyhow::Result<()> {
    let infrastructure = ["postgres", "kafka", "registry", "mailbox", "topics", "schemas", "seed"];
    let everything = infrastructure.into_iter().chain(SERVICES);
    let nothing = everything.fold(Stack::builder().single_instances(), |builder, part| builder.without(part));
    let ecosystem = Ecosystem::start(nothing).await?;
    for service in SERVICES {
        ecosystem.part(service).spawn()?;
    }

    assert_all_wait_for(&ecosystem, "the schema registry at http").await;
    let refused = ecosystem.orders.place(&NewOrder::good("too-early")).await?;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.body["detail"].as_str().is_some_and(|why| why.contains("schema registry")), "{}", refused.body);
    assert!(refused.headers.contains_key("retry-after"));

    ecosystem.part("postgres").start()?;
    ecosystem.part("registry").start()?;
    assert_all_wait_for(&ecosystem, "the schema registry has no subject ").await;

    ecosystem.part("schemas").start()?;
    let broker = format!("the broker at {} does not answer", ecosystem.stack.addresses().kafka_bootstrap);
    assert_all_wait_for(&ecosystem, &broker).await;

    ecosystem.part("kafka").start()?;
    assert_all_wait_for(&ecosystem, "topics that do not exist yet: ").await;

    ecosystem.part("topics").start()?;
    for service in SERVICES {
        ecosystem.part(service).wait_ready(NOTICED_WITHIN)?;
    }
    ecosystem.part("seed").start()?;
    eventually("the stock is counted", NOTICED_WITHIN, async || {
        let levels = ecosystem.topics.values(&WAREHOUSE_INVENTORY).await.ok()?;
        levels.iter().any(|level| level.product == "JUMPERS").then_some(())
    })
    .await;
    ecosystem.assert_validates("in-time").await
}

/// Waits until the readiness of every service, and its log, name what is missing.
async fn assert_all_wait_for(ecosystem: &Ecosystem, missing: &str) {
    for service in SERVICES {
        let part = ecosystem.part(service);
        let url = format!("{}/readyz", part.admin_url().expect("a service has an admin port"));
        let names_it = async || {
            let answer = reqwest::get(&url).await.ok()?;
            let is_unready = answer.status() == StatusCode::SERVICE_UNAVAILABLE;
            let awaited = answer.json::<Value>().await.ok()?["awaiting"].to_string();
            (is_unready && awaited.contains(missing)).then_some(())
        };
        eventually(&format!("{service} waits for «{missing}»"), NOTICED_WITHIN, names_it).await;
        let says_so = || part.log_tail(50).lines().any(|line| line.contains("not ready") && line.contains(missing));
        eventually(&format!("{service} logs that it waits for «{missing}»"), NOTICED_WITHIN, async || {
            says_so().then_some(())
        })
        .await;
    }
}
