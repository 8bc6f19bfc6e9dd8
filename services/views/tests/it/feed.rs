//! What open pages are told.

use std::collections::BTreeMap;

use local::Stack;
use serde_json::{Value, json};
use shared_schemas::{CUSTOMERS, CheckResult, MAILS_SENT, MailKind, MailSent, ORDERS, Order, OrderState, PAYMENTS};
use shared_schemas::{StockLevel, WAREHOUSE_INVENTORY, order_validations};
use test_kit::RawRecord;
use tokio::task::JoinSet;

use crate::client::{Page, all, read};
use crate::harness::Views;
use crate::story::{LONG_AGO, Story, customer, order, payment, verdict};

/// So many orders with ids that begin like this.
fn orders(name: &str, count: i32) -> Vec<Order> {
    (0..count).map(|number| order(&format!("{name}-{number}"), OrderState::Created, 1, LONG_AGO)).collect()
}

/// Whether a change shows an order.
fn shows(id: &str) -> impl Fn(&Value) -> bool {
    move |data| all(&data["orders"], "id").contains(&id)
}

#[tokio::test]
async fn a_page_is_greeted_and_told_each_row_that_changes() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let (mut page, position) = Page::greeted(&views.service).await?;
    assert!(position.starts_with("view_1-"), "{position}");

    let order = order("seen", OrderState::Created, 1, LONG_AGO);
    views.say(&ORDERS, std::slice::from_ref(&order))?;
    let changes = page.changes_until(shows("seen")).await?;
    let listed = read(&views.service, "/v1/orders/seen").await?;
    let told = &changes.last().unwrap().data["orders"][0];
    assert_eq!((&told["state"], &told["paid"], &told["customer"]), (&json!("CREATED"), &json!(0.0), &Value::Null));
    assert_eq!((&told["createdAt"], &told["price"]), (&listed["createdAt"], &listed["price"]));

    views.say(&CUSTOMERS, &[customer(7, 2)])?;
    let changes = page.changes_until(|data| data["customers"][0]["id"] == 7).await?;
    let expected = json!({"id": 7, "firstName": "Ada", "lastName": "Ångström", "level": "GOLD", "version": 2});
    assert_eq!(changes.last().unwrap().data["customers"], json!([expected]));

    views.say(&PAYMENTS, &[payment("payment", &order)])?;
    let changes = page.changes_until(shows("seen")).await?;
    assert_eq!(changes.last().unwrap().data["orders"][0]["paid"], 5.0, "a payment changes its order");

    let level = StockLevel { product: "A".to_string(), on_hand: 5, reserved: 2, version: 1, updated_at: LONG_AGO };
    views.say(&WAREHOUSE_INVENTORY, &[level])?;
    page.changes_until(|data| data["stock"][0]["available"] == 3).await?;
    let mail = MailSent {
        idempotency_key: "mail".to_string(),
        order_id: "seen".to_string(),
        kind: MailKind::Rejection,
        subject: "Sorry".to_string(),
        sent_at: LONG_AGO,
    };
    views.say(&MAILS_SENT, &[mail])?;
    let changes = page.changes_until(|data| data["mails"][0]["orderId"] == "seen").await?;
    assert_eq!(changes.last().unwrap().data["mails"][0]["kind"], "REJECTION");
    let positions: Vec<_> = changes.iter().map(|change| change.id.clone()).collect();
    assert!(positions.iter().all(Option::is_some), "{positions:?}");
    Ok(())
}

#[tokio::test]
async fn a_page_hears_of_a_verdict_that_comes_when_its_order_is_decided() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let decided = order("decided", OrderState::Failed, 2, LONG_AGO);
    views.say(&ORDERS, std::slice::from_ref(&decided))?;
    views.await_applied().await?;
    let (mut page, _) = Page::greeted(&views.service).await?;
    views.say(&order_validations("inventory"), &[verdict("inventory", &decided, CheckResult::Pass)])?;
    page.changes_until(shows("decided")).await?;
    assert_eq!(all(&read(&views.service, "/v1/orders/decided").await?["validations"], "check"), ["inventory"]);
    Ok(())
}

#[tokio::test]
async fn a_page_reads_everything_anew_when_a_customer_or_a_product_is_gone() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let level = StockLevel { product: "A".to_string(), on_hand: 5, reserved: 2, version: 1, updated_at: LONG_AGO };
    views.say(&CUSTOMERS, &[customer(7, 1), customer(8, 1)])?;
    views.say(&WAREHOUSE_INVENTORY, &[level])?;
    views.await_applied().await?;
    let (mut page, mut position) = Page::greeted(&views.service).await?;
    for (topic, key) in [(CUSTOMERS.name(), "7"), (WAREHOUSE_INVENTORY.name(), "A")] {
        let gone = RawRecord { value: None, ..RawRecord::new(key, "") };
        views.service.write(topic, vec![gone.clone()])?;
        assert_eq!(page.next_but_status().await?.event, "reset", "{key}");
        let late = Page::opened(&views.service, Some(&position)).await?.next_but_status().await?;
        assert_eq!(late.event, "reset", "{key}: who was away hears of it, too");
        position = late.id.unwrap();
        // What is not there cannot go.
        views.service.write(topic, vec![gone])?;
        views.await_applied().await?;
    }
    views.say(&CUSTOMERS, &[customer(8, 2)])?;
    page.changes_until(|data| data["customers"][0]["id"] == 8).await?;
    Page::opened(&views.service, Some(&position)).await?.changes_until(|data| data["customers"][0]["id"] == 8).await?;
    Ok(())
}

#[tokio::test]
async fn a_page_that_was_cut_off_goes_on_where_it_was_and_misses_nothing() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let second = views.service.beside(&[("INSTANCE", "1")]);
    second.start()?;
    let (mut page, mut position) = Page::greeted(&views.service).await?;
    let mut seen = BTreeMap::new();
    for round in 0..10 {
        views.tell(&Story::new(&format!("round-{round}"), 10))?;
        let last = format!("round-{round}-last");
        views.say(&ORDERS, &[order(&last, OrderState::Created, 1, LONG_AGO)])?;
        // It reads a little, is cut off, and comes back to the other instance.
        let some = page.changes_until(|data| data["orders"] != json!([])).await?;
        keep(&some, &mut seen, &mut position);
        let service = if round % 2 == 0 { &second } else { &views.service };
        page = Page::opened(service, Some(&position)).await?;
    }
    views.await_applied().await?;
    views.say(&ORDERS, &[order("the-last", OrderState::Created, 1, LONG_AGO)])?;
    let rest = page.changes_until(shows("the-last")).await?;
    keep(&rest, &mut seen, &mut position);

    let mut all_orders = BTreeMap::new();
    let mut after = String::new();
    loop {
        let found = read(&views.service, &format!("/v1/orders?limit=200{after}")).await?;
        for order in found["orders"].as_array().unwrap() {
            all_orders.insert(order["id"].to_string(), order.clone());
        }
        let Some(next) = found["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    // A customer is told of once, and not with each of its orders.
    let bare = |orders: BTreeMap<String, Value>| -> BTreeMap<String, Value> {
        let without = |mut order: Value| {
            order["customer"].take();
            order
        };
        orders.into_iter().map(|(id, order)| (id, without(order))).collect()
    };
    assert_eq!(bare(seen), bare(all_orders));
    Ok(())
}

/// Takes note of the newest row of each order, and of the position.
fn keep(changes: &[crate::client::Told], seen: &mut BTreeMap<String, Value>, position: &mut String) {
    for change in changes {
        for order in change.data["orders"].as_array().unwrap() {
            seen.insert(order["id"].to_string(), order.clone());
        }
        position.clone_from(change.id.as_ref().unwrap());
    }
}

#[tokio::test]
async fn a_position_that_leads_nowhere_is_answered_by_a_reset() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let (_, before) = Page::greeted(&views.service).await?;
    // More than one message takes.
    views.say(&ORDERS, &orders("many", 1100))?;
    views.await_applied().await?;
    let (_, now) = Page::greeted(&views.service).await?;
    for position in [&*before, "view_0-1", "view_2-1", "view_1-999999", "", "nonsense", "view_1-", "-1"] {
        let told = Page::opened(&views.service, Some(position)).await?.next_but_status().await?;
        assert_eq!((&*told.event, told.id.as_ref(), &told.data), ("reset", Some(&now), &json!({})), "{position}");
    }
    // One that is up to date is told nothing but what comes.
    let mut page = Page::opened(&views.service, Some(&now)).await?;
    views.say(&ORDERS, &orders("next", 1))?;
    let told = page.changes_until(shows("next-0")).await?;
    assert_eq!(told.iter().map(|told| all(&told.data["orders"], "id").len()).sum::<usize>(), 1);
    Ok(())
}

#[tokio::test]
async fn a_page_that_is_open_while_the_tables_are_exchanged_is_reset_and_goes_on() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let (mut page, before) = Page::greeted(&views.service).await?;
    let mut connection = views.connection().await?;
    let exchange = "BEGIN; ALTER SCHEMA view_1 RENAME TO view_2; UPDATE public.serving SET schema = 'view_2';
        SELECT pg_notify('changes', 'view_2-' || change) FROM view_2.feed; COMMIT";
    sqlx::raw_sql(exchange).execute(&mut connection).await?;
    let told = page.next_but_status().await?;
    assert_eq!(told.event, "reset");
    assert!(told.id.unwrap().starts_with("view_2-"));
    views.say(&ORDERS, &orders("after", 1))?;
    page.changes_until(shows("after-0")).await?;
    let told = Page::opened(&views.service, Some(&before)).await?.next_but_status().await?;
    assert_eq!(told.event, "reset", "also who comes back later");
    Ok(())
}

#[tokio::test]
async fn fifty_pages_are_told_the_same() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let mut pages = JoinSet::new();
    let mut greeted = Vec::new();
    for _ in 0..50 {
        greeted.push(Page::greeted(&views.service).await?.0);
    }
    for mut page in greeted {
        pages.spawn(async move { page.changes_until(shows("last-0")).await });
    }
    for round in 0..20 {
        views.say(&ORDERS, &orders(&format!("round-{round}"), 20))?;
    }
    views.await_applied().await?;
    views.say(&ORDERS, &orders("last", 1))?;
    let told: Vec<_> = pages.join_all().await.into_iter().collect::<anyhow::Result<_>>()?;
    assert!(told.iter().all(|changes| *changes == told[0]), "each is told the same");
    let rows: usize = told[0].iter().map(|change| all(&change.data["orders"], "id").len()).sum();
    assert_eq!(rows, 20 * 20 + 1, "each order once");
    Ok(())
}

#[tokio::test]
async fn a_page_hears_that_the_database_is_down_and_goes_on_when_it_is_back() -> anyhow::Result<()> {
    let stack = Stack::builder().only(["postgres"]).start()?;
    let views = Views::with_database(local::create_database(&stack.addresses(), "tables")?)?.started()?;
    let (mut page, _) = Page::greeted(&views.service).await?;
    page.status(|status| status["database"] == Value::Null && status["cluster"] != Value::Null).await?;
    stack.part("postgres").kill();
    page.status(|status| status["database"] == "the database does not answer").await?;
    views.say(&ORDERS, &orders("during", 1))?;
    let mut late = Page::opened(&views.service, None).await?;
    late.status(|status| status["database"] != Value::Null).await?;
    stack.part("postgres").start()?;
    page.changes_until(shows("during-0")).await?;
    assert_eq!(late.next_but_status().await?.event, "hello", "one that was opened meanwhile begins");
    page.status(|status| status["database"] == Value::Null).await?;
    Ok(())
}

#[tokio::test]
async fn the_service_stops_at_once_with_pages_open() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let mut pages = Vec::new();
    for _ in 0..5 {
        pages.push(Page::greeted(&views.service).await?.0);
    }
    assert!(views.service.stop()?.success());
    // One that was cut off instead would end with an error.
    for mut page in pages {
        while page.next().await?.is_some() {}
    }
    Ok(())
}
