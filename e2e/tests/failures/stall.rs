#![expect(clippy::disallowed_methods, reason = "how long a process stands still is measured by the clock")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2e::NewOrder;
use local::Stack;
use reqwest::StatusCode;
use shared_schemas::{ORDER_DETAILS_VALIDATIONS, ORDER_EXPIRATIONS, OrderState};
use test_kit::eventually;

use crate::ecosystem::Ecosystem;
use crate::load::assert_verdicts;

const VALIDATION_DEADLINE: Duration = Duration::from_secs(5);

/// Longer than the deadline, shorter than the 10 s after which a broker gives the partitions to others.
const STALL: Duration = Duration::from_secs(7);

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_process_counts_the_deadline_anew_when_it_goes_on() -> anyhow::Result<()> {
    let deadline = VALIDATION_DEADLINE.as_millis().to_string();
    let ecosystem =
        Ecosystem::start(Stack::builder().single_instances().env("orders", "VALIDATION_DEADLINE_MS", deadline)).await?;
    let (orders, order_details) = (ecosystem.part("orders"), ecosystem.part("order-details"));
    ecosystem.assert_validates("before").await?;

    // No verdict comes before orders stands still, and every verdict while it does.
    order_details.pause();
    let ids: Vec<String> = (0..20).map(|index| format!("stalled-{index}")).collect();
    for id in &ids {
        assert_eq!(ecosystem.orders.place(&NewOrder::good(id)).await?.status, StatusCode::CREATED, "{id}");
    }
    orders.pause();
    let stalled = Instant::now();
    let asked = tokio::spawn({
        let (client, id) = (ecosystem.orders.clone(), ids[0].clone());
        async move { client.verdict(&id).await }
    });
    order_details.resume();
    eventually("every order is validated, and none has heard of it for as long as it may wait", PATIENCE, async || {
        let validated = ecosystem.topics.values(&ORDER_DETAILS_VALIDATIONS).await.ok()?.len();
        (validated == ids.len() + 1 && stalled.elapsed() > STALL).then_some(())
    })
    .await;
    orders.resume();

    assert_eq!(asked.await??.state, "VALIDATED", "a question asked during the stall is answered after it");
    let deserved = ids.into_iter().chain(["before".to_string()]).map(|id| (id, OrderState::Validated));
    let deserved: BTreeMap<_, _> = deserved.collect();
    assert_verdicts(&ecosystem.orders, &deserved).await;
    ecosystem.assert_validates("after").await?;
    let expired = ecosystem.topics.values(&ORDER_EXPIRATIONS).await?;
    assert!(expired.is_empty(), "{expired:?}");
    ecosystem.assert_sound(&deserved).await
}

#[tokio::test]
async fn an_order_that_nobody_validates_in_time_fails_and_stays_failed() -> anyhow::Result<()> {
    let deadline = VALIDATION_DEADLINE.as_millis().to_string();
    let ecosystem =
        Ecosystem::start(Stack::builder().single_instances().env("orders", "VALIDATION_DEADLINE_MS", deadline)).await?;
    let order_details = ecosystem.part("order-details");
    order_details.kill();

    let placed = Instant::now();
    assert_eq!(ecosystem.orders.place(&NewOrder::good("expired")).await?.status, StatusCode::CREATED);
    let failed = ecosystem.orders.verdict("expired").await?;

    assert!(placed.elapsed() >= VALIDATION_DEADLINE, "it failed after {:?}", placed.elapsed());
    assert_eq!(failed.state, "FAILED");
    assert_eq!(failed.reasons, ["no verdict in time from order-details"]);

    order_details.start()?;
    eventually("the verdict comes, too late", PATIENCE, async || {
        let validations = ecosystem.topics.values(&ORDER_DETAILS_VALIDATIONS).await.ok()?;
        (!validations.is_empty()).then_some(())
    })
    .await;
    ecosystem.assert_validates("afterwards").await?;
    assert_eq!(ecosystem.orders.verdict("expired").await?, failed, "a verdict is never revised");
    Ok(())
}
