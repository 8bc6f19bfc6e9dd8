use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shared_schemas::{CheckResult, ORDER_EXPIRATIONS, ORDER_REQUESTS, OrderExpired, OrderRequested, OrderState};
use streams::Timestamp;
use test_kit::{answer, eventually, unique};

use crate::harness::{DEADLINE, LONG_AGO, Orders, neighbour, shared};

const CHECK: &str = "order-details";

#[tokio::test]
async fn an_order_that_passes_its_check_is_validated() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    let created = orders.place(&id).await?;
    orders.pass(CHECK, &id)?;
    let validated = orders.validated(&id).await?;
    assert_eq!((&validated["state"], &validated["version"]), (&"VALIDATED".into(), &2.into()));
    assert_eq!((&validated["reasons"], &validated["createdAt"]), (&created["reasons"], &created["createdAt"]));
    assert_eq!(answer(orders.get(&format!("/v1/orders/{id}")).await?, 200).await?, validated);
    Ok(())
}

#[tokio::test]
async fn an_order_that_fails_a_check_fails_with_its_reason() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    orders.place(&id).await?;
    orders.fail(CHECK, &id, "the quantity must be above 0")?;
    let failed = orders.validated(&id).await?;
    assert_eq!((&failed["state"], &failed["version"]), (&"FAILED".into(), &2.into()));
    assert_eq!(failed["reasons"], serde_json::json!(["order-details: the quantity must be above 0"]));
    Ok(())
}

#[tokio::test]
async fn every_required_check_has_to_pass_an_order() -> anyhow::Result<()> {
    let orders = Orders::started(&[("REQUIRED_CHECKS", "order-details,fraud,inventory")])?;
    let (good, bad) = (unique("order"), unique("order"));
    for (id, last) in [(&good, CheckResult::Pass), (&bad, CheckResult::Fail)] {
        orders.place(id).await?;
        for check in ["fraud", "fraud", "order-details"] {
            orders.pass(check, id)?;
        }
        match last {
            CheckResult::Pass => orders.pass("inventory", id)?,
            _ => orders.fail("inventory", id, "not on stock")?,
        }
    }
    assert_eq!(orders.validated(&good).await?["state"], "VALIDATED");
    assert_eq!(orders.validated(&bad).await?["reasons"][0], "inventory: not on stock");

    let half = unique("order");
    orders.place(&half).await?;
    orders.pass("fraud", &half)?;
    orders.pass("inventory", &half)?;
    let undecided = orders.get(&format!("/v1/orders/{half}/validated?timeout=500")).await?;
    assert_eq!(undecided.status(), 504, "one check has not spoken");
    Ok(())
}

#[tokio::test]
async fn a_verdict_that_is_repeated_or_comes_too_late_changes_nothing() -> anyhow::Result<()> {
    let (orders, good, bad) = (shared(), unique("order"), unique("order"));
    orders.place(&good).await?;
    orders.place(&bad).await?;
    for _ in 0..3 {
        orders.pass(CHECK, &good)?;
        orders.fail(CHECK, &bad, "first")?;
    }
    orders.fail(CHECK, &good, "too late")?;
    orders.pass(CHECK, &bad)?;
    orders.place(&good).await?;
    for id in [&good, &bad] {
        let behind = neighbour(id);
        orders.place(&behind).await?;
        orders.pass(CHECK, &behind)?;
        orders.validated(&behind).await?;
    }
    assert_eq!(history(orders, &good)?, [(1, OrderState::Created), (2, OrderState::Validated)]);
    assert_eq!(history(orders, &bad)?, [(1, OrderState::Created), (2, OrderState::Failed)]);
    assert_eq!(orders.versions(&bad)?[1].reasons, ["order-details: first"]);
    Ok(())
}

#[tokio::test]
async fn a_verdict_may_come_before_its_order() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    orders.pass(CHECK, &id)?;
    let behind = neighbour(&id);
    orders.place(&behind).await?;
    orders.pass(CHECK, &behind)?;
    orders.validated(&behind).await?;
    orders.place(&id).await?;
    assert_eq!(orders.validated(&id).await?["state"], "VALIDATED");
    assert_eq!(history(orders, &id)?, [(1, OrderState::Created), (2, OrderState::Validated)]);
    Ok(())
}

#[tokio::test]
async fn an_order_without_a_verdict_in_time_fails() -> anyhow::Result<()> {
    let orders = Orders::started(&[("VALIDATION_DEADLINE_MS", "1500"), ("REQUIRED_CHECKS", "order-details,fraud")])?;
    let id = unique("order");
    orders.pass("fraud", &id)?;
    orders.place(&id).await?;
    let failed = orders.validated(&id).await?;
    assert_eq!((&failed["state"], &failed["version"]), (&"FAILED".into(), &2.into()));
    assert_eq!(failed["reasons"], serde_json::json!(["no verdict in time from order-details"]));

    orders.pass(CHECK, &id)?;
    let expired = eventually("the expiry is an event", DEADLINE, async || {
        orders.read(&ORDER_EXPIRATIONS, &id).ok().filter(|expired| !expired.is_empty())
    });
    let expired: Vec<OrderExpired> = expired.await;
    assert_eq!(expired.iter().map(|event| event.missing.clone()).collect::<Vec<_>>(), [[CHECK]]);
    assert_eq!(history(&orders, &id)?, [(1, OrderState::Created), (2, OrderState::Failed)]);
    Ok(())
}

#[tokio::test]
async fn the_time_of_an_order_that_waited_in_the_log_begins_when_the_service_has_caught_up() -> anyhow::Result<()> {
    const TIME: Duration = Duration::from_secs(4);
    let orders = Orders::prepared(&[("VALIDATION_DEADLINE_MS", &TIME.as_millis().to_string())])?;
    let (judged, forgotten) = (unique("order"), unique("order"));
    orders.write(&ORDER_REQUESTS, &requested(&judged))?;
    orders.write(&ORDER_REQUESTS, &requested(&forgotten))?;
    orders.pass(CHECK, &judged)?;
    let before_start = now();
    orders.service.start()?;
    assert_eq!(orders.validated(&judged).await?["state"], "VALIDATED");
    assert_eq!(orders.validated(&forgotten).await?["reasons"][0], "no verdict in time from order-details");
    let expired = orders.read(&ORDER_EXPIRATIONS, &forgotten)?;
    assert!(expired[0].expired_at >= before_start + TIME, "started at {before_start:?}: {expired:?}");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "to be compared with the clock of the service")]
fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(0) + since_1970
}

fn history(orders: &Orders, id: &str) -> anyhow::Result<Vec<(i32, OrderState)>> {
    Ok(orders.versions(id)?.iter().map(|order| (order.version, order.state)).collect())
}

fn requested(id: &str) -> OrderRequested {
    OrderRequested {
        body: Vec::new(),
        order_id: id.to_string(),
        customer_id: 1,
        product: "JUMPERS".to_string(),
        quantity: 1,
        price_minor: 500,
        currency: "USD".to_string(),
        requested_at: LONG_AGO,
    }
}
