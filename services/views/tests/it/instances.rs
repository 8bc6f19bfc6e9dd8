//! Several instances write the same tables, and each event counts once.

use shared_schemas::ORDERS;
use sqlx::Connection;
use test_kit::eventually;

use crate::harness::{DEADLINE, Views};
use crate::story::Story;

#[tokio::test]
async fn two_instances_share_the_log_while_one_joins_and_one_leaves() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    views.tell(&Story::new("alone", 200))?;
    let second = views.service.beside(&[("INSTANCE", "1")]);
    second.start()?;
    views.tell(&Story::new("together", 200))?;
    views.assert_equal_to_the_log().await?;

    // The first is gone for good when the group has missed it for long enough.
    views.service.stop()?;
    views.tell(&Story::new("second", 200))?;
    views.assert_equal_to_the_log().await?;
    assert!(views.service.dead_letters()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_instance_that_stood_still_while_another_took_over_changes_nothing() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let second = views.service.beside(&[("INSTANCE", "1")]);
    second.start()?;
    views.tell(&Story::new("together", 100))?;
    views.await_applied().await?;

    // It stands still with records in its hands, and its transaction open.
    let mut connection = views.connection().await?;
    let mut holding = connection.begin().await?;
    sqlx::query("SELECT FROM public.serving FOR UPDATE").execute(&mut *holding).await?;
    views.tell(&Story::new("held", 100))?;
    eventually("both wait for the tables", DEADLINE, async || waiting(&views).await.filter(|count| *count == 2)).await;
    views.service.pause()?;
    holding.commit().await?;
    views.tell(&Story::new("meanwhile", 100))?;
    views.assert_equal_to_the_log().await?;

    views.service.resume()?;
    views.tell(&Story::new("later", 100))?;
    views.service.wait_ready()?;
    views.assert_equal_to_the_log().await
}

#[tokio::test]
async fn what_another_has_written_meanwhile_is_not_written_again() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    views.tell(&Story::new("before", 20))?;
    views.await_applied().await?;

    let mut connection = views.connection().await?;
    let mut other = connection.begin().await?;
    sqlx::query("SELECT FROM public.serving FOR UPDATE").execute(&mut *other).await?;
    views.tell(&Story::new("late", 20))?;
    eventually("it waits for the tables", DEADLINE, async || waiting(&views).await.filter(|count| *count == 1)).await;
    // The other is further by one record of each partition, and has made something else of them.
    let moved = "UPDATE positions SET next_offset = next_offset + 1 WHERE topic = $1";
    sqlx::query(moved).bind(ORDERS.name()).execute(&mut *other).await?;
    other.commit().await?;

    views.await_applied().await?;
    assert!(views.figure("views_conflicts").await? >= 1.0);
    let select = "SELECT count(*) FROM events WHERE topic = $1 AND order_id LIKE 'late-%'";
    let orders: i64 = sqlx::query_scalar(select).bind(ORDERS.name()).fetch_one(&mut connection).await?;
    let partitions = views.positions().await?.keys().filter(|(topic, _)| topic == ORDERS.name()).count();
    assert_eq!(orders, 2 * 20 - i64::try_from(partitions)?, "what the other has taken is not taken once more");
    Ok(())
}

/// How many transactions wait for a lock.
async fn waiting(views: &Views) -> Option<i64> {
    let select =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    sqlx::query_scalar(select).fetch_one(&mut views.connection().await.ok()?).await.ok()
}
