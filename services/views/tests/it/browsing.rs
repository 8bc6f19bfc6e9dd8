//! Topics and groups as they are shown, and the page itself.

use local::Stack;
use serde_json::{Value, json};
use shared_schemas::{ORDERS, OrderState};
use test_kit::{HTTP, RawRecord, Service, eventually, infrastructure, problem};

use crate::client::{Page, all, get, read, refused};
use crate::harness::{DEADLINE, Views, topics};
use crate::story::{LONG_AGO, Story, order};

#[tokio::test]
async fn topics_and_their_records_are_shown() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let orders: Vec<_> =
        (0..40).map(|number| order(&format!("order-{number}"), OrderState::Created, 1, LONG_AGO)).collect();
    let written = views.say(&ORDERS, &orders)?;
    let topics = read(&views.service, "/v1/topics").await?;
    let orders = topics["topics"].as_array().unwrap().iter().find(|topic| topic["name"] == "orders").unwrap();
    assert_eq!((&orders["records"], orders["partitions"].as_array().map(Vec::len)), (&json!(40), Some(4)));

    for partition in 0..4 {
        let here: Vec<_> = written.iter().filter(|record| record.partition == partition).collect();
        let path = format!("/v1/topics/orders/{partition}");
        let page = read(&views.service, &format!("{path}?limit=100")).await?;
        assert_eq!((&page["first"], &page["next"]), (&json!(0), &json!(here.len())));
        let keys: Vec<_> = here.iter().map(|record| record.key_text()).collect();
        assert_eq!(all(&page["records"], "key"), keys);
        let last = read(&views.service, &format!("{path}?offset=-1")).await?;
        assert_eq!(last["records"].as_array().map(Vec::len), Some(1));
        assert_eq!(last["records"][0], page["records"][here.len() - 1]);
        let before = read(&views.service, &format!("{path}?before={}&limit=2", here.len() - 1)).await?;
        assert_eq!(all(&before["records"], "key"), keys[here.len() - 3..here.len() - 1]);
        let record = &last["records"][0];
        assert_eq!((&record["value"]["state"], &record["value"]["priceMinor"]), (&json!("CREATED"), &json!(500)));
        let schema = read(&views.service, &format!("/v1/schemas/{}", record["schemaId"])).await?;
        assert_eq!(schema["schema"]["name"], "Order");
    }
    refused(&views.service, "/v1/topics/orders/0?before=1&offset=1", 400).await?;
    refused(&views.service, "/v1/topics/nothing/0", 404).await?;
    refused(&views.service, "/v1/topics/orders/4", 404).await?;
    refused(&views.service, "/v1/topics/__consumer_offsets/0", 404).await?;
    refused(&views.service, "/v1/schemas/2147483647", 404).await?;
    Ok(())
}

#[tokio::test]
async fn records_that_cannot_be_decoded_are_shown_all_the_same() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let good =
        RawRecord::of(&ORDERS, &views.schemas, &order("good", OrderState::Created, 1, LONG_AGO))?.to_partition(0);
    let bad = RawRecord::unreadable(&good);
    let records = bad
        .iter()
        .map(|(record, _)| record.clone())
        .chain([good.clone().header("note", "kept").header("note", "twice")]);
    let written = views.service.write(ORDERS.name(), records.collect())?;
    let page = read(&views.service, "/v1/topics/orders/0").await?;
    let shown = page["records"].as_array().unwrap();
    assert_eq!(shown.len(), written.len());
    for (record, shown) in written.iter().zip(shown) {
        assert_eq!(shown["offset"], record.offset);
        assert_eq!(shown["bytes"], record.value.as_ref().map_or(0, Vec::len));
    }
    assert!(shown[0]["problem"].is_string() && shown[1]["problem"].is_string() && shown[2]["problem"].is_string());
    assert_eq!(shown[3]["key"], Value::Null);
    assert_eq!((&shown[4]["value"], &shown[4]["problem"]), (&Value::Null, &Value::Null), "a tombstone");
    let headers = json!([{"name": "note", "value": "kept"}, {"name": "note", "value": "twice"}]);
    assert_eq!((&shown[5]["value"]["id"], &shown[5]["headers"]), (&json!("good"), &headers));
    Ok(())
}

#[tokio::test]
async fn the_groups_are_shown_with_the_positions_that_the_tables_have() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let second = views.service.beside(&[("INSTANCE", "1")]);
    second.start()?;
    views.tell(&Story::new("counted", 50))?;
    views.await_applied().await?;
    let group = eventually("the group has read everything", DEADLINE, async || {
        let cluster = read(&second, "/v1/cluster").await.ok()?;
        let group = cluster["groups"].as_array()?.iter().find(|group| group["group"] == "views-sink")?.clone();
        let members = group["members"].as_array()?.len();
        (group["lag"] == 0 && members == 2).then_some(group)
    })
    .await;
    let partitions = group["partitions"].as_array().unwrap();
    let known = views.positions().await?;
    assert_eq!(partitions.len(), known.len());
    for partition in partitions {
        let number = i32::try_from(partition["partition"].as_i64().unwrap())?;
        let at = (partition["topic"].as_str().unwrap().to_string(), number);
        assert_eq!(partition["position"], known[&at], "{partition}");
        assert!(partition["member"].is_string(), "{partition}");
    }
    Ok(())
}

#[tokio::test]
async fn without_the_broker_the_view_is_shown_and_the_rest_put_off() -> anyhow::Result<()> {
    let stack = Stack::builder().only(["kafka"]).start()?;
    let (kafka, database_url) = (stack.addresses().kafka_bootstrap, infrastructure().database("views")?);
    let settings = [("DATABASE_URL", &*database_url), ("KAFKA_BOOTSTRAP", &*kafka)];
    let service = Service::new(env!("CARGO_BIN_EXE_views"), &settings)?;
    let schemas = service.register_schemas(&topics())?;
    service.create_topics(&topics())?;
    let views = Views { service, schemas, database_url }.started()?;
    views.say(&ORDERS, &[order("kept", OrderState::Created, 1, LONG_AGO)])?;
    views.await_applied().await?;
    let (mut page, _) = Page::greeted(&views.service).await?;
    page.status(|status| status["broker"] == Value::Null && status["cluster"] != Value::Null).await?;

    stack.part("kafka").kill();
    page.status(|status| status["broker"] == "the broker does not answer").await?;
    for path in ["/v1/topics", "/v1/topics/orders/0", "/v1/cluster"] {
        let response = get(&views.service, path).await?;
        assert_eq!(response.headers()["retry-after"], "1", "{path}");
        let problem = problem(response, 503).await?;
        assert!(problem["detail"].as_str().unwrap().contains("does not answer"), "{path}: {problem}");
    }
    assert_eq!(read(&views.service, "/v1/orders/kept").await?["version"], 1);

    stack.part("kafka").start()?;
    page.status(|status| status["broker"] == Value::Null).await?;
    eventually("topics are shown again", DEADLINE, async || read(&views.service, "/v1/topics").await.ok()).await;
    Ok(())
}

#[tokio::test]
async fn the_page_comes_with_all_its_parts_and_a_strict_policy() -> anyhow::Result<()> {
    let views = Views::new()?;
    let urls =
        [("ORDERS_URLS", "http://127.0.0.1:8080,http://127.0.0.1:8090/"), ("PAYMENTS_URLS", "http://127.0.0.1:8480")];
    let service = views.service.beside(&urls);
    service.start()?;
    let page = get(&service, "/").await?;
    let headers = page.headers().clone();
    assert_eq!((page.status().as_u16(), &headers["cache-control"]), (200, &"no-cache".parse()?));
    let policy = headers["content-security-policy"].to_str()?;
    assert!(
        policy.contains("connect-src 'self' http://127.0.0.1:8080 http://127.0.0.1:8090 http://127.0.0.1:8480;"),
        "{policy}"
    );
    assert!(policy.contains("default-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");

    let html = page.text().await?;
    let parts = html.split(['"', '\'']).filter(|part| part.starts_with("/page/"));
    for part in parts.chain(["/"]) {
        let found = get(&service, part).await?;
        assert_eq!(found.status(), 200, "{part}");
        let tag = found.headers()["etag"].clone();
        let again = HTTP.get(service.url() + part).header("if-none-match", tag).send().await?;
        assert_eq!(again.status(), 304, "{part}");
        let other = HTTP.get(service.url() + part).header("if-none-match", "\"0\"").send().await?;
        assert_eq!(other.status(), 200, "{part}");
    }
    let known = read(&service, "/v1/page").await?;
    let expected = json!({
        "ordersUrls": ["http://127.0.0.1:8080", "http://127.0.0.1:8090"],
        "paymentsUrls": ["http://127.0.0.1:8480"],
        "customersUrls": [],
    });
    assert_eq!(known, expected);
    Ok(())
}

#[tokio::test]
async fn everything_is_described() -> anyhow::Result<()> {
    let views = Views::new()?.started()?;
    let described = read(&views.service, "/openapi.json").await?;
    let paths: Vec<_> = described["paths"].as_object().unwrap().keys().collect();
    let expected = [
        "/v1/changes",
        "/v1/cluster",
        "/v1/customers/{id}",
        "/v1/mails",
        "/v1/minutes",
        "/v1/orders",
        "/v1/orders/{id}",
        "/v1/page",
        "/v1/schemas/{id}",
        "/v1/stock",
        "/v1/topics",
        "/v1/topics/{topic}/{partition}",
    ];
    assert_eq!(paths, expected);
    Ok(())
}
