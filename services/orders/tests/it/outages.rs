use local::Stack;
use shared_schemas::ORDER_REQUESTS;
use streams_kafka::partition_of;
use test_kit::{Gate, HTTP, RawRecord, answer, eventually, problem, unique};

use crate::harness::{DEADLINE, Orders, order};

#[tokio::test]
async fn a_service_that_starts_first_waits_for_all_it_needs_and_says_for_what() -> anyhow::Result<()> {
    let (kafka, registry) = (Gate::to_kafka()?, Gate::to_registry()?);
    let settings = [("KAFKA_BOOTSTRAP", kafka.address()), ("SCHEMA_REGISTRY_URL", registry.address())];
    let orders = Orders::bare(&settings)?;
    orders.service.spawn()?;

    waits_for(&orders, "the schema registry at").await;
    problem(orders.post(&order("early")).await?, 503).await?;
    registry.open();
    waits_for(&orders, "the broker at").await;
    problem(orders.get("/v1/orders/early").await?, 503).await?;
    kafka.open();
    waits_for(&orders, "topics that do not exist yet").await;
    let requests = orders.service.topic(ORDER_REQUESTS.name());
    waits_for(&orders, &requests).await;
    orders.create_topics()?;

    orders.service.wait_ready()?;
    orders.place("first").await?;
    orders.pass("order-details", "first")?;
    assert_eq!(orders.validated("first").await?["state"], "VALIDATED");
    Ok(())
}

/// Waits until the service, which must live, says that it is not ready and names this as the reason.
async fn waits_for(orders: &Orders, what: &str) {
    let admin = orders.service.admin_url();
    eventually(&format!("the service says that it waits for {what}"), DEADLINE, async || {
        let live = HTTP.get(format!("{admin}/livez")).send().await.ok()?;
        assert_eq!(live.status(), 200);
        let ready = HTTP.get(format!("{admin}/readyz")).send().await.ok()?;
        assert_eq!(ready.status(), 503);
        ready.text().await.ok()?.contains(what).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_order_that_is_not_decided_in_time_is_accepted_and_decided_later() -> anyhow::Result<()> {
    let registry = Gate::to_registry()?;
    registry.open();
    let (orders, id) = (Orders::started(&[("SCHEMA_REGISTRY_URL", registry.address())])?, unique("order"));
    registry.close();
    // What is behind a record of an unknown schema waits until the registry has spoken.
    let riddle = RawRecord::new("riddle", [0, 0x7f, 0xff, 0xff, 0xff]).to_partition(partition_of(&id, 4));
    orders.service.write(ORDER_REQUESTS.name(), vec![riddle])?;
    let url = orders.service.url() + "/v1/orders?timeout=500";
    let response = HTTP.post(url).json(&order(&id)).send().await?;
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["location"], format!("/v1/orders/{id}"));
    problem(orders.get(&format!("/v1/orders/{id}?timeout=0")).await?, 404).await?;
    assert_eq!(HTTP.get(orders.service.admin_url() + "/readyz").send().await?.status(), 200, "all else goes on");

    registry.open();
    assert_eq!(answer(orders.get(&format!("/v1/orders/{id}?timeout=30000")).await?, 200).await?["id"], id);
    Ok(())
}

#[tokio::test]
async fn an_order_that_the_journal_does_not_acknowledge_can_be_placed_again() -> anyhow::Result<()> {
    let stack = Stack::builder().only(["kafka"]).start()?;
    let kafka = stack.addresses().kafka_bootstrap;
    let orders = Orders::started(&[("KAFKA_BOOTSTRAP", &kafka), ("JOURNAL_TIMEOUT_MS", "2000")])?;
    let known = orders.place("known").await?;

    stack.part("kafka").kill();
    let response = orders.post(&order("lost")).await?;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(problem(response, 503).await?["id"], "lost");

    stack.part("kafka").start()?;
    eventually("it is placed under the same id", DEADLINE, async || {
        let again = orders.post(&order("lost")).await.ok()?;
        assert!([201, 202, 503].contains(&again.status().as_u16()), "{again:?}");
        (again.status() == 201).then_some(())
    })
    .await;
    assert_eq!(answer(orders.get("/v1/orders/known").await?, 200).await?, known);
    Ok(())
}
