//! What is asked of the view over HTTP.

use local::Stack;
use serde_json::{Value, json};
use shared_schemas::{CUSTOMERS, MAILS_SENT, MailKind, MailSent, ORDERS, Order, OrderState, PAYMENTS, Payment};
use shared_schemas::{StockLevel, WAREHOUSE_INVENTORY};
use streams::Timestamp;
use test_kit::{HTTP, Service, answer, eventually, problem};

use crate::client::{all, get, read, refused};
use crate::harness::{DEADLINE, Views};
use crate::story::{LONG_AGO, Story, customer, order, payment};

/// So many orders, a second apart, of five customers, three products and three states, in no order.
fn orders(count: i32) -> Vec<Order> {
    let of = |number: i32| {
        let states = [OrderState::Created, OrderState::Validated, OrderState::Failed];
        let state = states[usize::try_from(number % 3).unwrap()];
        let at = Timestamp(LONG_AGO.0 + i64::from(number * 7 % count) * 1000);
        let product = ["JUMPERS", "UNDERPANTS", "STOCKINGS"][usize::try_from(number / 3 % 3).unwrap()].to_string();
        Order { customer_id: i64::from(number % 5), product, ..order(&format!("order-{number:03}"), state, 1, at) }
    };
    (0..count).map(of).collect()
}

/// Their ids, newest first.
fn ids(orders: &[Order], is_wanted: impl Fn(&Order) -> bool) -> Vec<String> {
    let mut wanted: Vec<_> = orders.iter().filter(|order| is_wanted(order)).collect();
    wanted.sort_by_key(|order| std::cmp::Reverse((order.created_at.0, order.id.clone())));
    wanted.into_iter().map(|order| order.id.clone()).collect()
}

#[tokio::test]
async fn orders_are_listed_newest_first_by_every_combination_of_filters() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let orders = orders(100);
    views.say(&ORDERS, &orders)?;
    views.await_applied().await?;

    let (from, to) = (LONG_AGO.0 + 20_000, LONG_AGO.0 + 80_000);
    for combination in 0..32 {
        let has = |filter: i32| combination & (1 << filter) != 0;
        let is_wanted = |order: &Order| {
            (!has(0) || order.state == OrderState::Failed)
                && (!has(1) || order.customer_id == 2)
                && (!has(2) || order.product == "STOCKINGS")
                && (!has(3) || order.created_at.0 >= from)
                && (!has(4) || order.created_at.0 < to)
        };
        let filters = [
            "state=FAILED",
            "customer=2",
            "product=STOCKINGS",
            "from=2023-11-14T22:13:40Z",
            "to=2023-11-14T23:14:40.000%2B01:00",
        ];
        let filters: Vec<_> = (0..5).filter(|filter| has(*filter)).map(|filter| filters[filter as usize]).collect();
        let path = format!("/v1/orders?limit=200&{}", filters.join("&"));
        let found = read(&views.service, &path).await?;
        assert_eq!(all(&found["orders"], "id"), ids(&orders, is_wanted), "{path}");
        assert_eq!(found["next"], Value::Null, "{path}");
    }
    let found = read(&views.service, "/v1/orders").await?;
    assert_eq!(all(&found["orders"], "id"), ids(&orders, |_| true)[..50], "fifty unless told");
    assert_eq!(read(&views.service, "/v1/orders?product=%00%F0%9F%98%80").await?["orders"], json!([]));
    Ok(())
}

#[tokio::test]
async fn the_pages_of_a_list_join_exactly_while_orders_are_added() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    // Many of one moment, so that the moment alone does not tell where a page ends.
    let old = |number: i32| {
        order(&format!("old-{number:03}"), OrderState::Created, 1, Timestamp(LONG_AGO.0 + i64::from(number / 40)))
    };
    let old: Vec<_> = (0..100).map(old).collect();
    views.say(&ORDERS, &old)?;
    views.await_applied().await?;

    let (mut seen, mut after, mut added) = (Vec::new(), String::new(), Vec::new());
    for page in 0.. {
        let found = read(&views.service, &format!("/v1/orders?limit=7{after}")).await?;
        seen.extend(all(&found["orders"], "id").into_iter().map(str::to_string));
        let Some(next) = found["next"].as_str() else { break };
        after = format!("&after={next}");
        added.push(order(&format!("new-{page}"), OrderState::Created, 1, Timestamp(LONG_AGO.0 + 1_000_000 + page)));
        views.say(&ORDERS, &added[added.len() - 1..])?;
        views.await_applied().await?;
    }
    assert_eq!(seen, ids(&old, |_| true));
    let newest = read(&views.service, "/v1/orders?limit=200").await?;
    assert_eq!(all(&newest["orders"], "id"), ids(&[old, added].concat(), |_| true));
    Ok(())
}

#[tokio::test]
async fn an_order_shows_its_story() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    views.tell(&Story::new("told", 5))?;
    views.await_applied().await?;

    let told = read(&views.service, "/v1/orders/told-0").await?;
    assert_eq!((&told["state"], &told["version"]), (&json!("VALIDATED"), &json!(2)));
    assert_eq!((&told["price"], &told["paid"], &told["currency"]), (&json!(5.0), &json!(5.0), &json!("USD")));
    assert_eq!(told["createdAt"], "2023-11-14T22:13:20Z");
    assert_eq!(told["updatedAt"], "2023-11-14T22:13:20.002Z");
    assert_eq!(all(&told["validations"], "check"), ["fraud", "inventory", "order-details"]);
    assert_eq!(all(&told["validations"], "result"), ["PASS"; 3]);
    assert_eq!(all(&told["payments"], "id"), ["payment-of-told-0"]);
    assert_eq!(all(&told["mails"], "id"), ["told-0/mail"]);
    let mut steps = all(&told["journey"], "what");
    steps.sort_unstable();
    let expected = [
        "CREATED",
        "VALIDATED",
        "fraud: PASS",
        "inventory: PASS",
        "mailed",
        "order-details: PASS",
        "paid",
        "requested",
    ];
    assert_eq!(steps, expected);
    let moment = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().trim_end_matches('Z').to_string();
    let written = told["journey"].as_array().unwrap().iter().filter(|step| step["processedAt"].is_string());
    let written: Vec<_> = written.map(|step| (moment(step, "processedAt"), moment(step, "happenedAt"))).collect();
    assert!(written.is_sorted() && written.len() > 4, "{written:?}");

    let failed = read(&views.service, "/v1/orders/told-1").await?;
    assert_eq!((&failed["state"], &failed["paid"]), (&json!("FAILED"), &json!(0.0)));
    assert_eq!(failed["reasons"], json!(["fraud: too \"much\", {or} \\ more", "inventory: none"]));
    let verdicts = &failed["validations"];
    assert_eq!(
        (&verdicts[0]["result"], &verdicts[0]["reason"]),
        (&json!("FAIL"), &json!("too \"much\", {or} \\ more"))
    );
    refused(&views.service, "/v1/orders/nobody-knows", 404).await?;
    Ok(())
}

#[tokio::test]
async fn an_order_is_joined_with_its_customer_and_with_what_was_paid_in_its_currency() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let dear =
        Order { currency: "JPY".to_string(), price_minor: i64::MAX, ..order("dear", OrderState::Created, 1, LONG_AGO) };
    views.say(&ORDERS, std::slice::from_ref(&dear))?;
    let paid = |id: &str, amount_minor, currency: &str| Payment {
        amount_minor,
        currency: currency.to_string(),
        ..payment(id, &dear)
    };
    views.say(&PAYMENTS, &[paid("a", i64::MAX, "JPY"), paid("b", i64::MAX, "JPY"), paid("c", 1, "USD")])?;
    views.await_applied().await?;
    let text = get(&views.service, "/v1/orders/dear").await?.text().await?;
    assert!(text.contains(r#""price":9223372036854775807,"#), "{text}");
    assert!(text.contains(r#""paid":18446744073709551614,"#), "every digit is there: {text}");
    assert!(text.contains(r#""customer":null,"#), "{text}");

    views.say(&CUSTOMERS, &[customer(7, 2)])?;
    views.await_applied().await?;
    let joined = read(&views.service, "/v1/orders/dear").await?;
    assert_eq!(joined["customer"], json!({"firstName": "Ada", "lastName": "Ångström", "level": "GOLD"}));
    let summary = read(&views.service, "/v1/customers/7").await?;
    assert_eq!(
        (&summary["firstName"], &summary["level"], &summary["version"]),
        (&json!("Ada"), &json!("GOLD"), &json!(2))
    );
    assert_eq!((&summary["orders"], &summary["email"]), (&json!({"CREATED": 1}), &Value::Null));
    assert_eq!((all(&summary["spent"], "currency"), all(&summary["recent"], "id")), (vec!["JPY", "USD"], vec!["dear"]));
    refused(&views.service, "/v1/customers/8", 404).await?;
    Ok(())
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "minutes are counted back from now")]
async fn stock_mails_and_minutes_are_shown() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let level = |product: &str, on_hand, reserved| StockLevel {
        product: product.to_string(),
        on_hand,
        reserved,
        version: 1,
        updated_at: LONG_AGO,
    };
    views.say(&WAREHOUSE_INVENTORY, &[level("B", 10, 3), level("A", i64::MIN, 1)])?;
    let mail = |number: i64| MailSent {
        idempotency_key: format!("mail-{number}"),
        order_id: format!("order-{number}"),
        kind: MailKind::Confirmation,
        subject: "Thank you".to_string(),
        sent_at: Timestamp(LONG_AGO.0 + number / 2),
    };
    views.say(&MAILS_SENT, &(0..5).map(mail).collect::<Vec<_>>())?;
    let now = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis())?;
    let recent = |id: &str, state, ago_ms| order(id, state, 1, Timestamp(now - ago_ms));
    let young = [
        recent("a", OrderState::Failed, 90_000),
        recent("b", OrderState::Created, 90_000),
        recent("c", OrderState::Created, 0),
    ];
    views.say(&ORDERS, &[&young[..], &[order("old", OrderState::Created, 1, LONG_AGO)]].concat())?;
    views.await_applied().await?;

    let stock = read(&views.service, "/v1/stock").await?;
    assert_eq!(stock["stock"][1]["available"], 7);
    assert_eq!((&stock["stock"][0]["product"], &stock["stock"][0]["available"]), (&json!("A"), &json!(i64::MIN)));
    let first = read(&views.service, "/v1/mails?limit=3").await?;
    assert_eq!(all(&first["mails"], "id"), ["mail-4", "mail-3", "mail-2"]);
    let rest = read(&views.service, &format!("/v1/mails?after={}", first["next"].as_str().unwrap())).await?;
    assert_eq!((all(&rest["mails"], "id"), &rest["next"]), (vec!["mail-1", "mail-0"], &Value::Null));
    assert_eq!((&rest["mails"][0]["kind"], &rest["mails"][0]["orderId"]), (&json!("CONFIRMATION"), &json!("order-1")));

    let minutes = read(&views.service, "/v1/minutes?minutes=10").await?;
    let minutes = minutes["minutes"].as_array().unwrap();
    let sum = |name: &str| minutes.iter().filter_map(|minute| minute[name].as_i64()).sum::<i64>();
    assert_eq!((minutes.len(), sum("orders"), sum("failed")), (10, 3, 1), "{minutes:?}");
    assert!(
        minutes.iter().any(|minute| (&minute["orders"], &minute["failed"]) == (&json!(2), &json!(1))),
        "{minutes:?}"
    );
    Ok(())
}

#[tokio::test]
async fn whoever_asks_for_a_version_waits_until_the_view_has_come_so_far_at_any_instance() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let second = views.service.beside(&[("INSTANCE", "1")]);
    second.start()?;
    let services = [&views.service, &second];
    for number in 0..8 {
        let id = format!("awaited-{number}");
        for service in services {
            refused(service, &format!("/v1/orders/{id}?version=1&timeout=0"), 404).await?;
            refused(service, &format!("/v1/orders/{id}?version=1&timeout=50"), 504).await?;
        }
        for version in [1, 3] {
            let path = format!("/v1/orders/{id}?version={version}&timeout=30000");
            let waiting = services.map(|service| tokio::spawn(HTTP.get(service.url() + &path).send()));
            for service in services {
                requests_are_under_way(service, 1).await;
            }
            for less in [version - 1, version] {
                views.say(&ORDERS, &[order(&id, OrderState::Created, less, LONG_AGO)])?;
            }
            for answered in waiting {
                assert_eq!(answer(answered.await??, 200).await?["version"], version);
            }
            for service in services {
                assert_eq!(read(service, &path).await?["version"], version, "it is there already");
            }
        }
    }
    Ok(())
}

/// Waits until so many requests are under way.
async fn requests_are_under_way(service: &Service, count: usize) {
    let url = service.admin_url() + "/metrics";
    eventually("the requests are under way", DEADLINE, async || {
        let metrics = HTTP.get(&url).send().await.ok()?.text().await.ok()?;
        let active = metrics.lines().find(|line| line.starts_with("http_server_active_requests"))?;
        // The one for this page is one of them.
        (active.rsplit(' ').next()?.parse::<usize>().ok()? > count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_thousand_readers_wait_for_one_order() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let path = views.service.url() + "/v1/orders/awaited?version=2&timeout=60000";
    let readers: tokio::task::JoinSet<_> = (0..1000).map(|_| HTTP.get(&path).send()).collect();
    requests_are_under_way(&views.service, 1000).await;
    views.say(&ORDERS, &[order("awaited", OrderState::Created, 1, LONG_AGO)])?;
    views.say(&ORDERS, &[order("awaited", OrderState::Validated, 2, LONG_AGO)])?;
    for response in readers.join_all().await {
        assert_eq!(answer(response?, 200).await?["version"], 2);
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_by_its_name() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let wrong = [
        ("/v1/orders", "state", vec!["failed", "", "%00", "1"]),
        ("/v1/orders", "customer", vec!["x", "", "1.0", "9223372036854775808", "1&customer=1"]),
        ("/v1/orders", "from", vec!["yesterday", "", "2026-01-01", "0", "2026-01-01T12:00:00"]),
        ("/v1/orders", "to", vec!["2026-13-01T12:00:00Z", "%ff"]),
        ("/v1/orders", "limit", vec!["0", "201", "-1", "many", ""]),
        ("/v1/orders", "after", vec!["", "x", "00", "312e00", "%00"]),
        ("/v1/orders", "stat", vec!["FAILED"]),
        ("/v1/orders/a", "version", vec!["0", "-1", "x", "2147483648", "1&version=1"]),
        ("/v1/orders/a", "timeout", vec!["-1", "60001", "x"]),
        ("/v1/orders/a", "wait", vec!["1"]),
        ("/v1/stock", "product", vec!["JUMPERS"]),
        ("/v1/customers/1", "level", vec!["GOLD"]),
        ("/v1/minutes", "minutes", vec!["0", "1441", "x"]),
        ("/v1/mails", "limit", vec!["0", "201"]),
        ("/v1/mails", "after", vec!["x"]),
        ("/v1/cluster", "group", vec!["orders"]),
        ("/v1/topics", "name", vec!["orders"]),
        ("/v1/topics/orders/0", "offset", vec!["x", "9223372036854775808"]),
        ("/v1/topics/orders/0", "limit", vec!["0", "101", "x"]),
        ("/v1/changes", "since", vec!["1"]),
    ];
    for (path, name, values) in wrong {
        for value in values {
            let problem = refused(&views.service, &format!("{path}?{name}={value}"), 400).await?;
            assert_eq!(problem["errors"][0]["parameter"], name, "{path} {value}");
        }
    }
    let paths = ["/v1/orders/a%00", "/v1/orders/%F0%9F%98%80", "/v1/customers/x", "/v1/customers/9223372036854775808"];
    for path in paths.into_iter().chain(["/v1/topics/orders/x", "/v1/schemas/x", "/v1/schemas/-1"]) {
        refused(&views.service, path, 400).await?;
    }
    for path in ["/v1/nothing", "/page/nothing.js", "/v1/orders/a/b", "/page/../Cargo.toml"] {
        refused(&views.service, path, 404).await?;
    }
    problem(HTTP.post(views.service.url() + "/v1/orders").send().await?, 405).await?;
    Ok(())
}

#[tokio::test]
async fn reads_go_on_while_the_tables_are_exchanged() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    views.say(&ORDERS, &[order("steady", OrderState::Validated, 2, LONG_AGO)])?;
    views.await_applied().await?;
    let mut connection = views.connection().await?;
    let url = views.service.url();
    for generation in 2..12 {
        let reader = |path: &'static str| {
            let url = format!("{url}{path}");
            tokio::spawn(async move {
                for _ in 0..20 {
                    let found = answer(HTTP.get(&url).send().await?, 200).await?;
                    anyhow::ensure!(found.to_string().contains("steady"), "{found}");
                }
                Ok(())
            })
        };
        let readers = [reader("/v1/orders"), reader("/v1/orders/steady?version=2&timeout=30000")];
        // To a reader it is as if the old tables had been dropped right after others had taken their place.
        let exchange = format!(
            "BEGIN; ALTER SCHEMA view_{} RENAME TO view_{generation}; UPDATE public.serving SET schema = 'view_{generation}';
             SELECT pg_notify('changes', 'view_{generation}-1'); COMMIT",
            generation - 1
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(exchange)).execute(&mut connection).await?;
        for reader in readers {
            reader.await??;
        }
    }
    Ok(())
}

#[tokio::test]
async fn without_the_database_a_read_is_put_off_and_answered_again_when_it_is_back() -> anyhow::Result<()> {
    let stack = Stack::builder().only(["postgres"]).start()?;
    let views = Views::with_database(local::create_database(&stack.addresses(), "tables")?)?.started()?;
    views.say(&ORDERS, &[order("kept", OrderState::Validated, 2, LONG_AGO)])?;
    views.await_applied().await?;
    stack.part("postgres").kill();
    for path in
        ["/v1/orders", "/v1/orders/kept", "/v1/orders/kept?version=3", "/v1/stock", "/v1/customers/7", "/v1/mails"]
    {
        let response = get(&views.service, path).await?;
        assert_eq!(response.headers()["retry-after"], "1", "{path}");
        let problem = problem(response, 503).await?;
        assert_eq!(problem["detail"], "For now, the database does not answer.", "{path}");
    }
    assert_eq!(get(&views.service, "/").await?.status(), 200, "the page is there all the same");
    stack.part("postgres").start()?;
    eventually("it is answered again", DEADLINE, async || read(&views.service, "/v1/orders/kept").await.ok()).await;
    Ok(())
}

#[tokio::test]
async fn tables_of_another_version_are_not_read() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let mut connection = views.connection().await?;
    sqlx::query("UPDATE public.serving SET layout = 'another'").execute(&mut connection).await?;
    let problem = refused(&views.service, "/v1/orders", 503).await?;
    assert!(problem["detail"].as_str().unwrap().contains("views rebuild"), "{problem}");
    Ok(())
}
