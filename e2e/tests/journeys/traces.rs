//! What one request sets off bears its trace from hop to hop, in the headers of the records.

use anyhow::Context;
use avro_codec::AvroRecord;
use e2e::{Event, NewOrder, Topics};
use shared_schemas::{CheckResult, ORDER_REQUESTS, ORDERS, OrderState, order_validations};
use streams::Topic;
use test_kit::unique;

use crate::ecosystem;

#[tokio::test]
async fn every_event_of_an_order_tells_its_trace_and_its_time() -> anyhow::Result<()> {
    let ecosystem = ecosystem()?;
    let order = NewOrder::good(unique("order"));
    let created = ecosystem.orders.place(&order).await?;
    ecosystem.orders.verdict(&order.id).await?;

    let requests = events(&ecosystem.topics, &ORDER_REQUESTS, &order.id).await?;
    let versions = events(&ecosystem.topics, &ORDERS, &order.id).await?;
    let mut validations = Vec::new();
    for check in ["order-details", "fraud", "inventory"] {
        validations.extend(events(&ecosystem.topics, &order_validations(check), &order.id).await?);
    }

    assert_eq!(requests.len(), 1);
    let body = serde_json::from_slice::<serde_json::Value>(&requests[0].value.body)?;
    assert_eq!(body, serde_json::to_value(&order)?, "the journal has the request as it was sent");
    let states: Vec<OrderState> = versions.iter().map(|version| version.value.state).collect();
    assert_eq!(states, [OrderState::Created, OrderState::Validated]);
    let results: Vec<CheckResult> = validations.iter().map(|validation| validation.value.result).collect();
    assert_eq!(results, [CheckResult::Pass; 3], "one of each check");

    let marks = [marks(&requests)?, marks(&versions)?, marks(&validations)?].concat();
    let trace = trace_id(created.header("traceresponse")?)?;
    assert!(marks.iter().all(|(its, _)| *its == trace), "{marks:?} belong to {trace}");
    let [requested, first, verdict, validated @ ..] = &marks[..] else { panic!("{marks:?} are too few") };
    let moments = first.1..=verdict.1;
    assert!(requested.1 <= first.1 && validated.iter().all(|its| moments.contains(&its.1)), "{marks:?}");
    Ok(())
}

#[tokio::test]
async fn an_order_goes_on_in_the_trace_of_whoever_placed_it() -> anyhow::Result<()> {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let ecosystem = ecosystem()?;
    let order = NewOrder::good(unique("order"));

    let created = ecosystem.orders.place_traced(&order, &format!("00-{TRACE}-00f067aa0ba902b7-01")).await?;
    ecosystem.orders.verdict(&order.id).await?;

    assert_eq!(trace_id(created.header("traceresponse")?)?, TRACE);
    let versions = events(&ecosystem.topics, &ORDERS, &order.id).await?;
    assert!(marks(&versions)?.iter().all(|(trace, _)| *trace == TRACE));
    Ok(())
}

#[tokio::test]
async fn a_refusal_names_its_trace() -> anyhow::Result<()> {
    let order = NewOrder::good("no/such/id");
    let refused = ecosystem()?.orders.place(&order).await?;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(refused.body["traceId"], trace_id(refused.header("traceresponse")?)?);
    Ok(())
}

async fn events<V: AvroRecord>(topics: &Topics, topic: &Topic<V>, key: &str) -> anyhow::Result<Vec<Event<V>>> {
    let events = topics.read(topic).await?;
    Ok(events.into_iter().filter(|event| event.record.key_text() == key).collect())
}

/// Trace id and `processed-at` of each event.
fn marks<V>(events: &[Event<V>]) -> anyhow::Result<Vec<(&str, u64)>> {
    events
        .iter()
        .map(|event| Ok((trace_id(event.header("traceparent")?)?, event.header("processed-at")?.parse()?)))
        .collect()
}

/// The second field of a `traceparent`.
fn trace_id(traceparent: &str) -> anyhow::Result<&str> {
    traceparent.split('-').nth(1).with_context(|| format!("{traceparent} is no trace context"))
}
