//! What is shown of orders, stock and customers follows from the log, in whichever instance of views one looks.

use std::collections::BTreeSet;

use e2e::{Chronicle, Documents, Gateway, NewOrder, differences, shown_of};
use serde_json::{Value, json};
use test_kit::eventually;

use crate::ecosystem::{CHECKS, Level, PATIENCE, Verdict, failed, order_of, shared};
use crate::shop::{Customer, Shop, confirmation};

/// Longer than a view may be behind, on a busy machine.
const SHOWN_WITHIN: &str = "timeout=30000";

#[tokio::test]
async fn an_order_can_be_followed_from_its_request_to_its_mail() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("GOLD").await?;
    let order = shop.order(&customer);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    shop.pay(&order, "15.00").await?;
    for views in &ecosystem.views {
        let document = becomes(views, &path(&order), "it has its mail", |it| it["mails"][0].is_object()).await;
        assert_eq!((&document["state"], &document["version"]), (&json!("VALIDATED"), &json!(2)));
        assert_eq!((&document["paid"], &document["customer"]["level"]), (&json!(15.0), &json!("GOLD")));
        assert_eq!(document["mails"][0]["subject"], confirmation(&order));
        let steps = document["journey"].as_array().expect("there is a journey");
        let mut what: Vec<&str> = steps.iter().filter_map(|step| step["what"].as_str()).collect();
        what.sort_unstable();
        let all = [
            "CREATED",
            "VALIDATED",
            "fraud: PASS",
            "inventory: PASS",
            "mailed",
            "order-details: PASS",
            "paid",
            "requested",
        ];
        assert_eq!(what, all);
        // Zeros at the end are not written: without its Z a moment stands before those it is the beginning of.
        let moments = steps.iter().filter_map(|step| step["processedAt"].as_str()?.strip_suffix('Z'));
        let moments: Vec<&str> = moments.collect();
        assert!(moments.len() == all.len() && moments.is_sorted(), "{moments:?}");
    }
    // Each step is what stands at its place in the log.
    let chronicle = Chronicle::read(&ecosystem.topics, &CHECKS).await?;
    let follows: Documents = chronicle.documents().into_iter().filter(|(shown, _)| *shown == path(&order)).collect();
    for views in &ecosystem.views {
        assert_eq!(differences(follows.clone(), shown_of(views, [path(&order)]).await?), [""; 0]);
    }
    Ok(())
}

#[tokio::test]
async fn an_order_that_nobody_has_placed_has_no_journey() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    for views in &ecosystem.views {
        let answer = views.get("/v1/orders/nobody-has-placed-it").await?;
        assert_eq!(answer.status, 404, "{}", answer.body);
    }
    Ok(())
}

#[tokio::test]
async fn a_link_that_names_a_version_never_outruns_the_view() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    for _ in 0..20 {
        let order = order_of("JUMPERS", 3);
        // Whoever is there before the order waits for it.
        let link = format!("{}?version=1&{SHOWN_WITHIN}", path(&order));
        let early = ecosystem.views.iter().cloned().map(|views| {
            let link = link.clone();
            tokio::spawn(async move { views.get(&link).await })
        });
        let early: Vec<_> = early.collect();
        assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
        for views in &ecosystem.views {
            let answer = views.get(&format!("{}?version=2&{SHOWN_WITHIN}", path(&order))).await?;
            assert_eq!((answer.status.as_u16(), &answer.body["version"]), (200, &json!(2)), "{}", answer.body);
        }
        for waiting in early {
            let answer = waiting.await??;
            assert_eq!((answer.status.as_u16(), &answer.body["id"]), (200, &json!(order.id)), "{}", answer.body);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_version_that_does_not_come_is_answered_when_the_time_is_up() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let order = order_of("JUMPERS", 3);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    for views in &ecosystem.views {
        assert_eq!(views.get(&format!("{}?version=3&timeout=500", path(&order))).await?.status, 504);
        assert_eq!(views.get(&format!("{}?version=3&timeout=0", path(&order))).await?.status, 404);
        assert_eq!(views.get(&format!("{}?version=soon", path(&order))).await?.status, 400);
    }
    Ok(())
}

#[tokio::test]
async fn an_order_that_failed_shows_why_and_which_check_objected() -> anyhow::Result<()> {
    const NONE_THERE: &str = "inventory: 3 asked for, 0 available";
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("SILVER").await?;
    let order = shop.order_in_vain(&customer);
    assert_eq!(ecosystem.order(&order).await?, failed(NONE_THERE));
    for views in &ecosystem.views {
        // The verdict and what it follows from are in different topics, of which either may be shown first.
        let is_whole = |it: &Value| {
            let said = it["validations"].as_array().map_or(0, Vec::len);
            said == CHECKS.len() && it["version"] == 2
        };
        let document = becomes(views, &path(&order), "the verdict and all checks are shown", is_whole).await;
        assert_eq!((&document["state"], &document["reasons"]), (&json!("FAILED"), &json!([NONE_THERE])));
        let said = document["validations"].as_array().expect("there are some");
        let objections: Vec<&Value> = said.iter().filter(|said| said["result"] != "PASS").collect();
        assert_eq!(objections.len(), 1, "{said:?}");
        assert_eq!((&objections[0]["check"], &objections[0]["result"]), (&json!("inventory"), &json!("FAIL")));
        assert!(NONE_THERE.contains(objections[0]["reason"].as_str().expect("it says why")));
        assert_eq!(listed(views, &customer, "FAILED").await?, [order.id.as_str()]);
    }
    Ok(())
}

#[tokio::test]
async fn an_order_that_was_validated_is_not_among_the_failed() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("SILVER").await?;
    let order = shop.order(&customer);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    for views in &ecosystem.views {
        views.get(&format!("{}?version=2&{SHOWN_WITHIN}", path(&order))).await?;
        assert_eq!(listed(views, &customer, "VALIDATED").await?, [order.id.as_str()]);
        assert_eq!(listed(views, &customer, "FAILED").await?, [""; 0]);
        assert_eq!(listed(views, &shop.stranger(), "VALIDATED").await?, [""; 0]);
    }
    Ok(())
}

#[tokio::test]
async fn the_stock_and_what_is_known_of_a_customer_follow_an_order() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let (customer, product) = (shop.customer("PLATINUM").await?, ecosystem.product(10).await?);
    let order = NewOrder { product: product.clone(), quantity: 4, ..shop.order(&customer) };
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    ecosystem.level_becomes(&product, Level { on_hand: 10, reserved: 4, version: 2 }).await;
    for views in &ecosystem.views {
        let stock =
            becomes(views, "/v1/stock", "its level is that of the log", |it| level(it, &product)["version"] == 2);
        let stock = stock.await;
        let level = level(&stock, &product);
        assert_eq!((&level["onHand"], &level["reserved"], &level["available"]), (&json!(10), &json!(4), &json!(6)));
        let of_customer = format!("/v1/customers/{}", customer.id);
        let summary =
            becomes(views, &of_customer, "the order is validated", |it| it["orders"] == json!({"VALIDATED": 1})).await;
        assert_eq!((&summary["level"], &summary["recent"][0]["id"]), (&json!("PLATINUM"), &json!(order.id)));
    }
    Ok(())
}

#[tokio::test]
async fn an_order_in_vain_holds_no_stock_and_a_stranger_is_not_known() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let (customer, product) = (shop.customer("PLATINUM").await?, ecosystem.product(3).await?);
    let order = NewOrder { product: product.clone(), quantity: 4, ..shop.order(&customer) };
    assert_eq!(ecosystem.order(&order).await?, failed("inventory: 4 asked for, 3 available"));
    for views in &ecosystem.views {
        let of_customer = format!("/v1/customers/{}", customer.id);
        becomes(views, &of_customer, "the order has failed", |it| it["orders"] == json!({"FAILED": 1})).await;
        let stock = becomes(views, "/v1/stock", "the product is there", |it| level(it, &product).is_object()).await;
        assert_eq!(
            (&level(&stock, &product)["reserved"], &level(&stock, &product)["available"]),
            (&json!(0), &json!(3))
        );
        let stranger = views.get(&format!("/v1/customers/{}", shop.stranger().id)).await?;
        assert_eq!(stranger.status, 404, "{}", stranger.body);
    }
    Ok(())
}

#[tokio::test]
async fn a_payment_that_comes_before_its_order_is_shown_with_it() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("GOLD").await?;
    let order = shop.order(&customer);
    let payment = shop.pay(&order, "15.00").await?;
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    for views in &ecosystem.views {
        let document = becomes(views, &path(&order), "it has its payment", |it| it["payments"][0].is_object()).await;
        assert_eq!((&document["payments"][0]["id"], &document["paid"]), (&payment["id"], &json!(15.0)));
    }
    Ok(())
}

#[tokio::test]
async fn a_payment_in_another_currency_is_shown_and_pays_nothing() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("GOLD").await?;
    let order = shop.order(&customer);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    shop.pay_in(&order, "15.00", "EUR").await?;
    for views in &ecosystem.views {
        let document = becomes(views, &path(&order), "it has its payment", |it| it["payments"][0].is_object()).await;
        let payment = &document["payments"][0];
        assert_eq!(
            (&payment["currency"], &payment["amount"], &document["paid"]),
            (&json!("EUR"), &json!(15.0), &json!(0.0))
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_mail_that_went_out_is_listed() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("BRONZE").await?;
    let order = shop.order(&customer);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    shop.pay(&order, "15.00").await?;
    for views in &ecosystem.views {
        let is_listed = |it: &Value| mails_about(it, &order).len() == 1;
        let list = becomes(views, "/v1/mails?limit=200", "the mail is listed", is_listed).await;
        let mail = mails_about(&list, &order)[0];
        assert_eq!((&mail["kind"], &mail["subject"]), (&json!("CONFIRMATION"), &json!(confirmation(&order))));
    }
    Ok(())
}

#[tokio::test]
async fn of_an_order_that_is_not_paid_no_mail_is_listed() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let mut shop = Shop::new(&ecosystem)?;
    let customer = shop.customer("BRONZE").await?;
    let (order, later) = (shop.order(&customer), shop.order(&customer));
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    assert_eq!(ecosystem.order(&later).await?, Verdict::Validated);
    shop.pay(&later, "15.00").await?;
    for views in &ecosystem.views {
        let is_listed = |it: &Value| mails_about(it, &later).len() == 1;
        let list = becomes(views, "/v1/mails?limit=200", "the later mail is listed", is_listed).await;
        assert!(mails_about(&list, &order).is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_record_is_found_where_the_journey_says_it_stands() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let order = order_of("JUMPERS", 3);
    assert_eq!(ecosystem.order(&order).await?, Verdict::Validated);
    for views in &ecosystem.views {
        let document = views.get(&format!("{}?version=2&{SHOWN_WITHIN}", path(&order))).await?.body;
        let steps = document["journey"].as_array().expect("there is a journey");
        let validated = steps.iter().find(|step| step["what"] == "VALIDATED").expect("it was validated");
        let (topic, partition) = (validated["topic"].as_str().unwrap_or_default(), &validated["partition"]);
        let at = format!("/v1/topics/{topic}/{partition}?offset={}&limit=1", validated["offset"]);
        let found = becomes(views, &at, "a record stands there", |it| it["records"][0].is_object()).await;
        let record = &found["records"][0];
        assert_eq!((&record["offset"], &record["key"]), (&validated["offset"], &json!(order.id)), "{found}");
        assert_eq!((&record["value"]["state"], &record["value"]["version"]), (&json!("VALIDATED"), &json!(2)));
        let schema = views.get(&format!("/v1/schemas/{}", record["schemaId"])).await?;
        assert_eq!(schema.body["schema"]["name"], "Order", "{}", schema.body);
        let named = |list: &Value, what: &str| -> BTreeSet<String> {
            let items = list.as_array().into_iter().flatten().filter_map(|item| item[what].as_str());
            items.map(str::to_string).collect()
        };
        let topics = BTreeSet::from(["orders", "mails-sent", "email-outbox"].map(str::to_string));
        let has_them = |it: &Value| named(&it["topics"], "name").is_superset(&topics);
        becomes(views, "/v1/topics", "there are the topics", has_them).await;
        let is_at_work = |it: &Value| {
            let groups = it["groups"].as_array().into_iter().flatten();
            let mut of_orders = groups.filter(|group| group["group"] == "orders");
            of_orders.any(|group| group["members"][0].is_object() && group["partitions"][0]["end"].is_i64())
        };
        let cluster = becomes(views, "/v1/cluster", "orders is at work", is_at_work).await;
        assert!(named(&cluster["groups"], "group").contains("views-sink"), "{cluster}");
    }
    Ok(())
}

#[tokio::test]
async fn in_a_topic_that_does_not_exist_nothing_is_found() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    for views in &ecosystem.views {
        for (path, status) in [
            ("/v1/topics/no-such-topic/0?offset=0", 404),
            ("/v1/topics/orders/99?offset=0", 404),
            ("/v1/topics/orders/0?limit=101", 400),
            ("/v1/schemas/999999", 404),
        ] {
            // With 503 it asks to come again, while others look.
            let answer = eventually(&format!("{path} is answered"), PATIENCE, async || {
                views.get(path).await.ok().filter(|answer| answer.status != 503)
            })
            .await;
            assert_eq!(answer.status, status, "{path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_page_may_call_the_services_it_is_told_of() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    for views in &ecosystem.views {
        for service in services_of_the_page(views).await? {
            for origin in [views.url().to_string(), views.url().replace("127.0.0.1", "localhost")] {
                let allowed = service.preflight("/v1/anything", &origin).await?;
                assert_eq!(allowed.header("access-control-allow-origin")?, origin, "{service:?}");
                let refusal = service.get_from("/v1/nothing", &origin).await?;
                assert_eq!(refusal.header("access-control-allow-origin")?, origin, "it may read why it is refused");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_page_of_somebody_else_may_not_call_the_services() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    for service in services_of_the_page(&ecosystem.views[0]).await? {
        let answer = service.preflight("/v1/anything", "http://somebody.example").await?;
        assert!(answer.header("access-control-allow-origin").is_err(), "{:?}", answer.headers);
    }
    Ok(())
}

/// Where the page is told to send orders, payments and customers.
async fn services_of_the_page(views: &Gateway) -> anyhow::Result<Vec<Gateway>> {
    let page = views.get("/v1/page").await?.body;
    let mut services = Vec::new();
    for list in ["ordersUrls", "paymentsUrls", "customersUrls"] {
        let urls = page[list].as_array().filter(|urls| !urls.is_empty());
        let urls = urls.unwrap_or_else(|| panic!("there are no {list} in {page}"));
        for url in urls.iter().filter_map(Value::as_str) {
            services.push(Gateway::at(url.to_string())?);
        }
    }
    Ok(services)
}

/// Waits until what is shown there is what is waited for.
async fn becomes(views: &Gateway, path: &str, what: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("{} shows at {path} that {what}", views.url()), PATIENCE, async || {
        let answer = views.get(path).await.ok()?;
        Some(answer.body).filter(|body| answer.status.is_success() && is_there(body))
    })
    .await
}

/// The ids of a customer's orders in that state.
async fn listed(views: &Gateway, customer: &Customer, state: &str) -> anyhow::Result<Vec<String>> {
    let list = views.get(&format!("/v1/orders?customer={}&state={state}", customer.id)).await?;
    assert_eq!(list.status, 200, "{}", list.body);
    let orders = list.body["orders"].as_array().expect("there is a list").clone();
    Ok(orders.iter().filter_map(|order| order["id"].as_str()).map(str::to_string).collect())
}

/// What is shown of a product; null if nothing is.
fn level<'s>(stock: &'s Value, product: &str) -> &'s Value {
    let levels = stock["stock"].as_array().into_iter().flatten();
    levels.into_iter().find(|level| level["product"] == product).unwrap_or(&Value::Null)
}

fn mails_about<'l>(list: &'l Value, order: &NewOrder) -> Vec<&'l Value> {
    list["mails"].as_array().into_iter().flatten().filter(|mail| mail["orderId"] == order.id.as_str()).collect()
}

fn path(order: &NewOrder) -> String {
    format!("/v1/orders/{}", order.id)
}
