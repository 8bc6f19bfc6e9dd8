//! The tables are built anew from the log, while those of before go on serving.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shared_schemas::{CUSTOMERS, CheckResult, ORDERS, Order, OrderState, PAYMENTS, order_validations};
use sqlx::{Connection, PgConnection};
use streams::Timestamp;
use test_kit::{RawRecord, eventually};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::harness::{DEADLINE, Views};
use crate::story::{LONG_AGO, Story, customer, order, payment, verdict};

/// What a failure point ends the process with.
const SIGABRT: i32 = 6;

/// Where a rebuild may die: before anything is written, in the middle, and around the switch.
const STEPS: [(&str, Served); 5] = [
    ("rebuild-after-copy", Served::Old),
    ("rebuild-before-indexes", Served::Old),
    ("rebuild-before-switch", Served::Old),
    ("rebuild-switch-sent", Served::OldOrNew),
    ("rebuild-after-switch", Served::New),
];

/// The tables that are served after a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    Old,
    OldOrNew,
    New,
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_works_events_are_written_and_no_read_fails_or_goes_back() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    views.tell(&Story::new("before", 300))?;
    views.await_applied().await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let readers = [0; 3].map(|_| tokio::spawn(read(views.database_url.clone(), is_over.clone())));
    for round in 0..3 {
        let rebuild = rebuild(&views, &[]);
        let mut number = 0;
        while !rebuild.is_finished() {
            views.tell(&Story::new(&format!("during-{round}-{number}"), 10))?;
            number += 1;
        }
        assert_done(&rebuild.await?);
        assert_eq!(schemas(&views).await?, [served(&views).await?], "those of before are gone");
    }
    views.assert_equal_to_the_log().await?;
    is_over.store(true, Ordering::Release);
    for reader in readers {
        assert!(reader.await?? > 10, "it has read all the time");
    }
    assert_eq!(served(&views).await?, "view_4");
    Ok(())
}

#[tokio::test]
async fn killed_at_any_step_it_leaves_tables_that_are_whole_and_can_be_run_again() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    for (step, expected) in STEPS {
        views.tell(&Story::new(step, 100))?;
        views.assert_equal_to_the_log().await?;
        let (before, old) = (views.tables().await?, served(&views).await?);

        let died = rebuild(&views, &[("MILLRACE_FAILURE_POINT", step)]).await?;
        assert_eq!(died.status.signal(), Some(SIGABRT), "{step}: {}", words(&died));
        // The server notices at once, but it may just be committing.
        eventually("its connection is gone", DEADLINE, async || {
            let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'views rebuild%'
                AND datname = current_database()";
            let count: i64 = sqlx::query_scalar(count).fetch_one(&mut views.connection().await.ok()?).await.ok()?;
            (count == 0).then_some(())
        })
        .await;
        match expected {
            Served::Old => assert_eq!(served(&views).await?, old, "{step}"),
            Served::New => assert_ne!(served(&views).await?, old, "{step}"),
            Served::OldOrNew => {}
        }
        assert_eq!(views.tables().await?, before, "{step}");
        views.tell(&Story::new(&format!("{step}-after"), 20))?;
        views.assert_equal_to_the_log().await?;

        let before = views.tables().await?;
        assert_done(&rebuild(&views, &[]).await?);
        assert_eq!(views.tables().await?, before, "{step}");
        assert_eq!(schemas(&views).await?, [served(&views).await?], "{step}: nothing is left behind");
    }
    views.service.wait_ready()?;
    Ok(())
}

#[tokio::test]
async fn positions_beyond_the_end_of_a_log_that_was_made_anew_are_not_kept() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    views.tell(&Story::new("before", 20))?;
    views.await_applied().await?;
    views.service.stop()?;
    let beyond = "UPDATE positions SET next_offset = next_offset + 5000 WHERE topic = $1";
    let moved = sqlx::query(beyond).bind(ORDERS.name()).execute(&mut views.connection().await?).await?;
    assert!(moved.rows_affected() > 0);

    assert_done(&rebuild(&views, &[]).await?);
    views.service.start()?;
    views.tell(&Story::new("after", 20))?;
    views.assert_equal_to_the_log().await
}

#[tokio::test]
async fn a_second_one_is_told_who_is_at_work_and_the_first_waits_for_whoever_writes() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let orders = |version| -> Vec<_> {
        let order = |number| order(&format!("o-{number}"), OrderState::Created, version, LONG_AGO);
        (0..100).map(order).collect()
    };
    views.say(&ORDERS, &orders(1))?;
    views.await_applied().await?;
    let mut connection = views.connection().await?;
    let mut writing = connection.begin().await?;
    sqlx::query("SELECT FROM public.serving FOR SHARE").execute(&mut *writing).await?;
    let first = rebuild(&views, &[]);
    eventually("the first one would switch", DEADLINE, async || waits_to_switch(&views).await.filter(|waits| *waits))
        .await;

    let second = rebuild(&views, &[]).await?;
    assert_eq!(second.status.code(), Some(1));
    assert!(words(&second).contains("another is at work: views rebuild, process"), "{}", words(&second));

    // It has read the first versions, and comes to these when it tries again.
    views.say(&ORDERS, &orders(2))?;
    views.await_applied().await?;
    writing.commit().await?;
    assert_done(&first.await?);
    views.assert_equal_to_the_log().await?;
    assert_eq!(served(&views).await?, "view_2");
    Ok(())
}

#[tokio::test]
async fn tables_of_another_layout_are_replaced_and_those_who_waited_go_on() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    views.tell(&Story::new("before", 50))?;
    views.await_applied().await?;
    sqlx::query("UPDATE serving SET layout = 'another'").execute(&mut views.connection().await?).await?;
    views.tell(&Story::new("meanwhile", 50))?;
    views.await_word("run `views rebuild`").await;
    assert_done(&rebuild(&views, &[]).await?);
    views.service.wait_ready()?;
    views.tell(&Story::new("after", 50))?;
    views.assert_equal_to_the_log().await
}

#[tokio::test]
async fn on_an_empty_database_it_makes_the_tables_for_those_who_come() -> anyhow::Result<()> {
    let views = Views::new()?;
    assert_done(&rebuild(&views, &[]).await?);
    views.tell(&Story::new("before", 100))?;
    assert_done(&rebuild(&views, &[]).await?);
    let rebuilt = views.tables().await?;
    views.service.start()?;
    assert_eq!(views.tables().await?, rebuilt);
    views.tell(&Story::new("after", 100))?;
    views.assert_equal_to_the_log().await
}

#[tokio::test]
async fn strange_rows_are_copied_as_they_would_be_written_and_what_cannot_be_read_is_counted() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let strange = Order {
        product: "\t\"\\N\" \u{1f980}\n".to_string(),
        currency: "\0".to_string(),
        reasons: vec!["a\0b, {c} \"d\" \\ 'e'".to_string(), String::new(), "NULL".to_string(), "long ".repeat(20_000)],
        customer_id: i64::MIN,
        quantity: i32::MIN,
        price_minor: i64::MAX,
        version: i32::MAX,
        created_at: Timestamp(i64::MIN),
        updated_at: Timestamp(i64::MAX),
        ..order("o\0ld", OrderState::Unknown, 1, LONG_AGO)
    };
    views.say(&ORDERS, std::slice::from_ref(&strange))?;
    views.say(&PAYMENTS, &[payment(&"long".repeat(1000), &strange)])?;
    views.say(&order_validations("fraud"), &[verdict("\0", &strange, CheckResult::Error)])?;
    views.say(&CUSTOMERS, &[customer(1, 5), customer(2, 5), customer(3, 5)])?;
    let gone = |id: i64| RawRecord { value: None, ..RawRecord::new(id.to_string(), "") };
    views.service.write(CUSTOMERS.name(), vec![gone(1), gone(2)])?;
    views.say(&CUSTOMERS, &[customer(2, 1)])?;
    views.service.write(ORDERS.name(), vec![RawRecord::new("o-1", "no avro at all")])?;
    views.tell(&Story::new("plain", 50))?;
    views.await_applied().await?;
    let before = views.tables().await?;

    let done = rebuild(&views, &[]).await?;
    assert_done(&done);
    assert!(words(&done).contains("1 records left out"), "{}", words(&done));
    assert_eq!(views.tables().await?, before);
    Ok(())
}

#[tokio::test]
async fn records_that_the_database_refuses_are_found_and_left_out_also_in_the_last_moment() -> anyhow::Result<()> {
    // Whatever tables are made have it, those of the rebuild, too.
    const CURSE: &str = "
        CREATE FUNCTION public.curse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'curse' AND conrelid = to_regclass('orders')) THEN
                ALTER TABLE IF EXISTS orders ADD CONSTRAINT curse CHECK (product <> 'CURSED');
            END IF;
        END $$;
        CREATE EVENT TRIGGER curse ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.curse();
        ALTER TABLE orders ADD CONSTRAINT curse CHECK (product <> 'CURSED')";
    let views = Views::new()?.started()?;
    let mut connection = views.connection().await?;
    sqlx::raw_sql(CURSE).execute(&mut connection).await?;
    let mut told: Vec<_> =
        (0..300).map(|number| order(&format!("o-{number}"), OrderState::Created, 1, LONG_AGO)).collect();
    for number in [17, 18, 250] {
        told[number].product = "CURSED".to_string();
    }
    views.say(&ORDERS, &told)?;
    views.await_applied().await?;
    views.service.stop()?;
    let before = views.tables().await?;

    let mut writing = connection.begin().await?;
    sqlx::query("SELECT FROM public.serving FOR SHARE").execute(&mut *writing).await?;
    let rebuilding = rebuild(&views, &[]);
    eventually("it would switch", DEADLINE, async || waits_to_switch(&views).await.filter(|waits| *waits)).await;
    // One more, which those who write have passed while the rebuild waits for them.
    let last = Order { product: "CURSED".to_string(), ..order("last", OrderState::Created, 1, LONG_AGO) };
    let last = views.say(&ORDERS, &[last])?.swap_remove(0);
    let passed = "UPDATE positions SET next_offset = $3 WHERE topic = $1 AND partition = $2";
    let passed = sqlx::query(passed).bind(ORDERS.name()).bind(last.partition).bind(last.offset + 1);
    passed.execute(&mut *writing).await?;
    writing.commit().await?;

    let done = rebuilding.await?;
    assert_done(&done);
    assert!(words(&done).contains("view_2 is served, 4 records left out"), "{}", words(&done));
    assert_eq!(views.tables().await?, before);
    views.service.start()?;
    views.say(&ORDERS, &[order("after", OrderState::Created, 1, LONG_AGO)])?;
    views.await_applied().await?;
    assert_eq!(views.tables().await?["orders"].len(), before["orders"].len() + 1);
    Ok(())
}

/// Whether a rebuild waits for those who write.
async fn waits_to_switch(views: &Views) -> Option<bool> {
    let waiting = "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name LIKE 'views rebuild%'
        AND datname = current_database() AND wait_event_type = 'Lock'";
    sqlx::query_scalar(waiting).fetch_one(&mut views.connection().await.ok()?).await.ok()
}

/// Runs it to its end.
fn rebuild(views: &Views, settings: &[(&str, &str)]) -> JoinHandle<Output> {
    let mut command = views.service.command(&["rebuild"]);
    command.envs(settings.iter().copied());
    spawn_blocking(move || command.output().expect("the program can be run"))
}

fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", words(output));
}

/// All that it said.
fn words(output: &Output) -> String {
    [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat()
}

/// The schema that is served.
async fn served(views: &Views) -> anyhow::Result<String> {
    Ok(sqlx::query_scalar("SELECT schema FROM serving").fetch_one(&mut views.connection().await?).await?)
}

/// All schemas with tables.
async fn schemas(views: &Views) -> anyhow::Result<Vec<String>> {
    let select = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'view\\_%'";
    Ok(sqlx::query_scalar(select).fetch_all(&mut views.connection().await?).await?)
}

/// Reads again and again, until it is over: every order that was there is there, as new as it was. How often it has read.
async fn read(url: String, is_over: Arc<AtomicBool>) -> anyhow::Result<usize> {
    let mut connection = PgConnection::connect(&url).await?;
    let (mut known, mut times) = (BTreeMap::new(), 0);
    while !is_over.load(Ordering::Acquire) {
        let orders = match orders(&mut connection).await {
            // The tables were dropped after they were found.
            Err(error) if is_gone(&error) => orders(&mut connection).await?,
            orders => orders?,
        };
        for (id, version) in &known {
            assert!(orders.get(id) >= Some(version), "{id}: {version} becomes {:?}", orders.get(id));
        }
        known = orders;
        times += 1;
    }
    Ok(times)
}

async fn orders(connection: &mut PgConnection) -> sqlx::Result<BTreeMap<String, i32>> {
    sqlx::query("SELECT set_config('search_path', schema, false) FROM public.serving")
        .execute(&mut *connection)
        .await?;
    let orders: Vec<(String, i32)> = sqlx::query_as("SELECT id, version FROM orders").fetch_all(connection).await?;
    Ok(orders.into_iter().collect())
}

fn is_gone(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| ["42P01", "3F000"].contains(&&*code))
}
