//! One order is one trace, as the trace store tells it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use e2e::{Answer, Gateway, NewOrder, OrdersClient};
use serde_json::{Value, json};
use test_kit::{eventually, unique};

use crate::stack::stack;

const TOLD_WITHIN: Duration = Duration::from_secs(60);
const CHECKS: [&str; 3] = ["order-details", "fraud", "inventory"];

/// A span, and whose child it is.
#[derive(Clone, Debug)]
struct Span {
    /// `<service>: <name>`
    what: String,
    parent: Option<String>,
    began_us: u64,
    is_error: bool,
}

/// All spans of a trace by their ids.
type Trace = BTreeMap<String, Span>;

#[tokio::test]
async fn an_order_that_is_paid_is_one_trace_from_the_request_to_the_mail() -> anyhow::Result<()> {
    let order = NewOrder { customer_id: 7, ..NewOrder::good(unique("traced")) };
    let placed = place(&order).await?;
    assert_eq!(verdict(&order).await?, "VALIDATED");
    // As the page pays: in the trace of the order.
    let views = gateway("views")?;
    let shown = eventually("views know the order", TOLD_WITHIN, async || {
        let document = views.get(&format!("/v1/orders/{}", order.id)).await.ok()?.body;
        Some(document["journey"][0]["traceparent"].as_str()?.to_string())
    });
    let payment = json!({"id": format!("{}-pay", order.id), "orderId": order.id, "amount": 15.00});
    let paid = gateway("payments")?.post_traced("/v1/payments", &payment, &shown.await).await?;
    assert_eq!(trace_id(&paid)?, trace_id(&placed)?);

    let trace = trace(trace_id(&placed)?, &["views: process mails-sent", "views: process payments"]).await;
    assert_is_one_tree(&trace);
    let mailed = path(&trace, "views: process mails-sent");
    let (check, rest) = by_a_check(&mailed);
    assert_eq!(
        rest,
        [
            "email: process orders",
            "email: join",
            "email: send mail",
            "email: send mails-sent",
            "views: process mails-sent"
        ],
        "{check} was the last to judge: {mailed:?}"
    );
    for check in CHECKS {
        let verdict = format!("orders: process order-validations-{check}");
        let (judge, rest) = by_a_check(&path(&trace, &verdict));
        assert!(judge == check && rest.is_empty(), "{verdict}: {judge}, {rest:?}");
    }
    assert_eq!(
        path(&trace, "views: process payments")[2..],
        [
            "payments: POST /v1/payments",
            "payments: send payment-requests",
            "payments: process payment-requests",
            "views: process payments",
        ],
        "the payment is part of it"
    );
    Ok(())
}

#[tokio::test]
async fn an_order_that_fails_is_one_trace_from_the_request_to_the_mail() -> anyhow::Result<()> {
    let order = NewOrder { customer_id: 8, product: "STOCKINGS".to_string(), ..NewOrder::good(unique("traced")) };
    let placed = place(&order).await?;
    assert_eq!(verdict(&order).await?, "FAILED");

    let trace = trace(trace_id(&placed)?, &["views: process mails-sent"]).await;
    assert_is_one_tree(&trace);
    let (check, rest) = by_a_check(&path(&trace, "views: process mails-sent"));
    assert_eq!(check, "inventory", "whose verdict it was that failed it");
    assert_eq!(
        rest,
        ["email: process orders", "email: send mail", "email: send mails-sent", "views: process mails-sent"]
    );
    Ok(())
}

fn orders() -> anyhow::Result<OrdersClient> {
    OrdersClient::new(&stack().part("orders").url().context("orders has an HTTP interface")?)
}

fn gateway(service: &str) -> anyhow::Result<Gateway> {
    Gateway::at(stack().part(service).url().context("the service has an HTTP interface")?)
}

async fn place(order: &NewOrder) -> anyhow::Result<Answer> {
    let placed = orders()?.place(order).await?;
    assert_eq!(placed.status, 201, "{}", placed.body);
    Ok(placed)
}

async fn verdict(order: &NewOrder) -> anyhow::Result<String> {
    Ok(orders()?.verdict(&order.id).await?.state)
}

fn trace_id(answer: &Answer) -> anyhow::Result<&str> {
    answer.header("traceresponse")?.split('-').nth(1).context("a trace id is the second field")
}

/// The trace in the trace store, as soon as it has these spans and the parents of all: each service tells of its own by itself.
async fn trace(id: &str, wanted: &[&str]) -> Trace {
    let store = Gateway::at(stack().part("jaeger").address().expect("the trace store is asked over HTTP"));
    let store = store.expect("an HTTP client");
    let path = format!("/api/traces/{id}");
    eventually(&format!("trace {id} has {wanted:?}"), TOLD_WITHIN, async || {
        let trace = spans(&store.get(&path).await.ok()?.body)?;
        let has_come = |wanted: &&str| trace.values().any(|span| span.what == **wanted);
        let has_parent = |span: &Span| span.parent.as_ref().is_none_or(|parent| trace.contains_key(parent));
        (wanted.iter().all(has_come) && trace.values().all(has_parent)).then_some(trace)
    })
    .await
}

fn spans(answer: &Value) -> Option<Trace> {
    let trace = answer["data"].get(0)?;
    let span = |span: &Value| {
        let service = &trace["processes"][span["processID"].as_str()?]["serviceName"];
        let parents = span["references"].as_array().into_iter().flatten();
        let parent = parents.filter(|it| it["refType"] == "CHILD_OF").find_map(|it| it["spanID"].as_str());
        let tags = span["tags"].as_array()?;
        let told = Span {
            what: format!("{}: {}", service.as_str()?, span["operationName"].as_str()?),
            parent: parent.map(str::to_string),
            began_us: span["startTime"].as_u64()?,
            is_error: tags.iter().any(|tag| tag["key"] == "error" && tag["value"] == true),
        };
        Some((span["spanID"].as_str()?.to_string(), told))
    };
    trace["spans"].as_array()?.iter().map(span).collect()
}

/// There is one root, each other span has its parent in the trace and began after it, and none failed.
fn assert_is_one_tree(trace: &Trace) {
    let roots: Vec<&Span> = trace.values().filter(|span| span.parent.is_none()).collect();
    assert!(roots.len() == 1 && roots[0].what == "orders: POST /v1/orders", "{roots:?}");
    for span in trace.values() {
        assert!(!span.is_error, "{span:?}");
        let Some(parent) = &span.parent else { continue };
        let parent = trace.get(parent).unwrap_or_else(|| panic!("the parent of {span:?} is not in the trace"));
        assert!(parent.began_us <= span.began_us, "{span:?} began before {parent:?}");
    }
}

/// From the root to the first span of this kind.
fn path(trace: &Trace, what: &str) -> Vec<String> {
    let mut at = trace.values().filter(|span| span.what == what).min_by_key(|span| span.began_us);
    let mut path = Vec::new();
    while let Some(span) = at {
        path.push(span.what.clone());
        at = span.parent.as_ref().and_then(|parent| trace.get(parent));
    }
    path.reverse();
    path
}

/// The check that a path leads through, from the request to its verdict, and what comes after that.
fn by_a_check(path: &[String]) -> (String, Vec<String>) {
    let begin = ["orders: POST /v1/orders", "orders: send order-requests", "orders: process order-requests"];
    assert_eq!(path[..3], begin, "{path:?}");
    let check = path[3].split(':').next().unwrap_or_default().to_string();
    let mut hops = vec![format!("{check}: process orders")];
    match &*check {
        "fraud" => hops.push("fraud: process fraud-by-customer-repartition".to_string()),
        "inventory" => hops.push("inventory: process inventory-by-product-repartition".to_string()),
        _ => {}
    }
    hops.push(format!("orders: process order-validations-{check}"));
    assert!(path[3..].starts_with(&hops), "{path:?} does not go on by {hops:?}");
    (check, path[3 + hops.len()..].to_vec())
}
