//! The database goes away and comes back.

use local::Stack;
use shared_schemas::{ORDERS, OrderState};
use sqlx::Connection;

use crate::harness::Views;
use crate::story::{LONG_AGO, Story, order};

#[tokio::test]
async fn postgresql_is_killed_and_comes_back_while_events_arrive() -> anyhow::Result<()> {
    let stack = Stack::builder().only(["postgres"]).start()?;
    let views = Views::with_database(local::create_database(&stack.addresses(), "tables")?)?.started()?;
    for round in 0..3 {
        views.tell(&Story::new(&format!("before-{round}"), 100))?;
        stack.part("postgres").kill();
        views.tell(&Story::new(&format!("during-{round}"), 50))?;
        views.await_word("the database cannot be used").await;
        stack.part("postgres").start()?;
        views.tell(&Story::new(&format!("after-{round}"), 50))?;
        views.service.wait_ready()?;
    }
    views.assert_equal_to_the_log().await?;
    assert!(views.service.dead_letters()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn without_a_database_it_starts_and_waits() -> anyhow::Result<()> {
    let stack = Stack::builder().only(["postgres"]).start()?;
    let views = Views::with_database(local::create_database(&stack.addresses(), "tables")?)?;
    stack.part("postgres").kill();
    views.service.spawn()?;
    views.tell(&Story::new("before", 20))?;
    views.await_word("the database cannot be used").await;
    stack.part("postgres").start()?;
    views.service.wait_ready()?;
    views.assert_equal_to_the_log().await
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_given_up_and_asked_again() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let mut connection = views.connection().await?;
    let mut holding = connection.begin().await?;
    sqlx::query("LOCK TABLE orders").execute(&mut *holding).await?;
    views.tell(&Story::new("held", 50))?;
    views.await_word("the database cannot be used").await;
    holding.commit().await?;
    views.service.wait_ready()?;
    views.assert_equal_to_the_log().await
}

#[tokio::test]
async fn a_database_that_takes_too_long_for_many_rows_is_given_fewer() -> anyhow::Result<()> {
    // As if each row took its time: whatever has more than a hundred is not done in time.
    const SLOW: &str = "
        CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF (SELECT count(*) FROM new_rows) > 100 THEN
                RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = 'query_canceled';
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER slow AFTER INSERT ON events REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION public.slow()";
    let views = Views::new()?.started()?;
    sqlx::raw_sql(SLOW).execute(&mut views.connection().await?).await?;
    views.service.stop()?;
    let orders: Vec<_> =
        (0..250).map(|number| order(&format!("o-{number}"), OrderState::Created, 1, LONG_AGO)).collect();
    views.say(&ORDERS, &orders)?;
    views.service.start()?;
    views.assert_equal_to_the_log().await?;
    assert!(views.service.dead_letters()?.is_empty());
    Ok(())
}
