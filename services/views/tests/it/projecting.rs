//! What is in the log is in the tables, once.

use shared_schemas::{CUSTOMERS, CheckResult, ORDERS, Order, OrderState, PAYMENTS, order_validations};
use streams::Timestamp;
use test_kit::{RawRecord, eventually};

use crate::harness::{DEADLINE, Views};
use crate::story::{LONG_AGO, Story, customer, order, payment, verdict};

#[tokio::test]
async fn the_tables_equal_a_fold_of_the_log() -> anyhow::Result<()> {
    let views = Views::new()?;
    views.tell(&Story::new("before", 300))?;
    views.service.start()?;
    views.tell(&Story::new("after", 200))?;
    views.assert_equal_to_the_log().await?;
    assert!(views.service.dead_letters()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn the_same_log_read_again_changes_nothing() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let story = Story::new("told", 200);
    views.tell(&story)?;
    views.assert_equal_to_the_log().await?;
    let before = views.tables().await?;

    views.service.stop()?;
    sqlx::query("UPDATE positions SET next_offset = 0").execute(&mut views.connection().await?).await?;
    views.service.start()?;
    views.assert_equal_to_the_log().await?;
    assert_eq!(views.tables().await?, before);

    // The same once more at other places: journeys grow, all else stays.
    views.tell(&story)?;
    views.assert_equal_to_the_log().await?;
    let after = views.tables().await?;
    assert_eq!(after["events"].len(), 2 * before["events"].len());
    for table in ["orders", "payments", "customers", "stock", "mails"] {
        assert_eq!(after[table], before[table], "{table}");
    }
    Ok(())
}

#[tokio::test]
async fn a_customer_without_a_value_is_removed_and_may_come_back() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    views.say(&CUSTOMERS, &[customer(1, 5), customer(2, 5), customer(3, 5)])?;
    let gone = |id: i64| RawRecord { value: None, ..RawRecord::new(id.to_string(), "") };
    views.service.write(CUSTOMERS.name(), vec![gone(1), gone(2)])?;
    views.say(&CUSTOMERS, &[customer(2, 1)])?;
    views.assert_equal_to_the_log().await?;
    assert_eq!(views.tables().await?["customers"].len(), 2);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_the_rest_goes_on() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let good = RawRecord::of(&ORDERS, &views.schemas, &order("o-1", OrderState::Created, 1, LONG_AGO))?;
    let bad: Vec<_> = RawRecord::unreadable(&good).into_iter().filter(|(_, cause)| *cause != "no key").collect();
    let mut written = Vec::new();
    for (record, cause) in &bad {
        let record = views.service.write(ORDERS.name(), vec![record.clone(), good.clone()])?.swap_remove(0);
        written.push((ORDERS.name(), record, *cause));
    }
    let nobody = RawRecord { value: None, ..RawRecord::new("Ada", "") };
    let nobody = views.service.write(CUSTOMERS.name(), vec![nobody])?.swap_remove(0);
    written.push((CUSTOMERS.name(), nobody, "no id of a customer"));
    views.service.assert_dead_letters(&written).await;
    views.assert_equal_to_the_log().await
}

#[tokio::test]
async fn whatever_can_be_read_can_be_stored() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let mut random = fastrand::Rng::with_seed(7);
    // Nothing that PostgreSQL could make shorter.
    let long: String = (0..200_000).map(|_| random.alphanumeric()).collect();
    let strange = Order {
        product: long.clone(),
        currency: "\0".to_string(),
        reasons: vec!["a\0b".to_string(), String::new(), "NULL".to_string(), long.clone()],
        customer_id: i64::MIN,
        quantity: i32::MIN,
        price_minor: i64::MAX,
        version: i32::MAX,
        created_at: Timestamp(i64::MIN),
        updated_at: Timestamp(i64::MAX),
        ..order(&format!("o\0{long}"), OrderState::Unknown, 1, LONG_AGO)
    };
    views.say(&ORDERS, std::slice::from_ref(&strange))?;
    views.say(&PAYMENTS, &[payment(&long, &strange)])?;
    views.say(&order_validations("fraud"), &[verdict("\0", &strange, CheckResult::Error)])?;
    views.await_applied().await?;
    let select = "SELECT reasons, version, created_at_ms, product FROM orders";
    let rows: Vec<(Vec<String>, i32, i64, String)> =
        sqlx::query_as(select).fetch_all(&mut views.connection().await?).await?;
    let [(reasons, i32::MAX, i64::MIN, product)] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(reasons[..3], ["a\u{fffd}b", "", "NULL"]);
    assert_eq!(reasons[3], long, "what stands in no index stays whole");
    assert!(product.starts_with(&long[..400]) && product.len() <= 512);
    let tables = views.tables().await?;
    assert_eq!((tables["payments"].len(), tables["validations"].len(), tables["events"].len()), (1, 1, 3));
    assert!(views.service.dead_letters()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_record_that_the_database_refuses_is_found_and_put_aside() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let mut connection = views.connection().await?;
    sqlx::query("ALTER TABLE orders ADD CHECK (product <> 'CURSED')").execute(&mut connection).await?;
    views.service.stop()?;
    let mut orders: Vec<_> =
        (0..300).map(|number| order(&format!("o-{number}"), OrderState::Created, 1, LONG_AGO)).collect();
    for number in [17, 18, 250] {
        orders[number].product = "CURSED".to_string();
    }
    let written = views.say(&ORDERS, &orders)?;
    views.service.start()?;
    let dead: Vec<_> = [17, 18, 250].map(|number| (ORDERS.name(), written[number].clone(), "check constraint")).into();
    views.service.assert_dead_letters(&dead).await;
    views.await_applied().await?;
    assert_eq!(views.tables().await?["orders"].len(), 297);
    Ok(())
}

#[tokio::test]
async fn tables_of_another_layout_are_left_alone_until_they_fit_again() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    views.tell(&Story::new("before", 10))?;
    views.assert_equal_to_the_log().await?;
    let mut connection = views.connection().await?;
    let layout: String = sqlx::query_scalar("SELECT layout FROM serving").fetch_one(&mut connection).await?;
    sqlx::query("UPDATE serving SET layout = 'another'").execute(&mut connection).await?;
    let before = views.tables().await?;

    views.tell(&Story::new("meanwhile", 10))?;
    views.await_word("run `views rebuild`").await;
    assert_eq!(views.tables().await?, before);
    // A process that starts says the same.
    views.service.stop()?;
    views.service.spawn()?;
    views.await_word("run `views rebuild`").await;
    assert_eq!(views.tables().await?, before);

    sqlx::query("UPDATE serving SET layout = $1").bind(layout).execute(&mut connection).await?;
    views.service.wait_ready()?;
    views.assert_equal_to_the_log().await
}

#[tokio::test]
async fn whoever_listens_is_told_of_each_change_in_the_sequence_of_commits() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let mut listener = sqlx::postgres::PgListener::connect(&views.database_url).await?;
    listener.listen("changes").await?;
    for number in 0..5 {
        views.say(&ORDERS, &[order(&format!("o-{number}"), OrderState::Created, 1, LONG_AGO)])?;
        views.await_applied().await?;
    }
    let mut told = Vec::new();
    eventually("five changes are told", DEADLINE, async || {
        let news = listener.recv().await.ok()?;
        told.push(news.payload().strip_prefix("view_1-")?.parse::<i64>().ok()?);
        (told.len() == 5).then_some(())
    })
    .await;
    assert!(told.is_sorted_by(|a, b| a < b), "{told:?}");
    let select = "SELECT change FROM orders ORDER BY id";
    let changes: Vec<i64> = sqlx::query_scalar(select).fetch_all(&mut views.connection().await?).await?;
    assert_eq!(changes, told);
    Ok(())
}
