use anyhow::Context;
use serde_json::{Value, json};
use shared_schemas::{Order, OrderRequested};
use streams::AvroRecord;
use test_kit::faults::{Answer, Bounds, Case, Contract, Field, Shape};
use test_kit::{HTTP, unique};

use crate::harness::{order, shared};

/// Every field × every fault, and every boundary from both sides. The fields are those of the OpenAPI document that the
/// service shows its clients and of the schema that its journal is written with.
#[tokio::test]
async fn every_fault_of_every_field_is_answered_as_it_should_be() -> anyhow::Result<()> {
    let (openapi, journal, told) = (openapi().await?, schema::<OrderRequested>()?, schema::<Order>()?);
    let contract = Contract { told: &told, ..contract(&openapi, &journal) };
    let mut cases = contract.cases().map_err(anyhow::Error::msg)?;
    cases.extend(of_state(&contract));
    let mut wrong = Vec::new();
    for case in &cases {
        let asked = case.ask(HTTP.post(shared().service.url() + "/v1/orders")).await;
        wrong.extend(asked.err().map(|error| format!("{}: {error:#}", case.name)));
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn a_field_that_is_added_without_its_cases_is_named() -> anyhow::Result<()> {
    let field = |name: &str| json!({"name": name, "type": "int", "default": 0});
    let (today, mut event) = (openapi().await?, schema::<OrderRequested>()?);
    let refused = |openapi: &Value, journal: &Value| contract(openapi, journal).cases().err();
    assert_eq!(refused(&today, &event), None, "all that there is today has cases");

    let mut request = today.clone();
    properties(&mut request)["priority"] = json!({"type": "integer", "format": "int32"});
    let unsaid = "clients may send `priority`, but OrderRequested does not keep it";
    assert_eq!(refused(&request, &event).as_deref(), Some(unsaid));

    event["fields"].as_array_mut().context("fields are a list")?.push(field("priority"));
    let no_cases = "`priority` has no cases: say which of its values are taken and which are refused";
    assert_eq!(refused(&request, &event).as_deref(), Some(no_cases));

    let unsent =
        "OrderRequested keeps `priority`, but clients cannot send it; if the service makes it, say so in `made_by_us`";
    assert_eq!(refused(&today, &event).as_deref(), Some(unsent));
    Ok(())
}

#[tokio::test]
async fn a_field_whose_type_is_changed_or_not_known_is_named() -> anyhow::Result<()> {
    let (today, journal) = (openapi().await?, schema::<OrderRequested>()?);
    for (name, of_another_type) in [
        ("quantity", json!({"type": "integer", "format": "int64"})),
        ("product", json!({"type": "integer", "format": "int32"})),
        ("customerId", json!({"type": "array"})),
    ] {
        let mut request = today.clone();
        properties(&mut request)[name] = of_another_type;
        let refusal = contract(&request, &journal).fields().err().unwrap_or_default();
        assert!(refusal.starts_with(&format!("nothing is known of the faults of `{name}`")), "{refusal}");
    }
    Ok(())
}

fn contract<'a>(openapi: &'a Value, journal: &'a Value) -> Contract<'a> {
    Contract {
        openapi,
        request: "NewOrder",
        journal,
        told: &Value::Null,
        called: &[("id", "orderId"), ("price", "priceMinor")],
        made_by_us: &["body", "requestedAt"],
        also_sent: &["state"],
        bounds,
        sample: || order(&unique("fault")),
    }
}

fn bounds(field: &Field) -> Option<Bounds> {
    match (field.name.as_str(), field.shape) {
        ("id", Shape::Text) => Some(Bounds::ids()),
        ("customerId" | "quantity", Shape::Whole(range)) => Some(Bounds::whole_numbers(range)),
        ("product", Shape::Text) => Some(names()),
        ("price", Shape::Decimal(range)) => Some(Bounds::amounts(range)),
        ("currency", Shape::Text) => Some(Bounds::currencies()),
        _ => None,
    }
}

/// A product may be called anything: whether there is one is not for the gateway to say.
fn names() -> Bounds {
    let longest = "x".repeat(60_000);
    Bounds::texts(&["", " ", "\0", "\"\\", "null", "ü😀\u{10ffff}", longest.as_str()], &[])
}

/// An order is created by being placed; every other state is the server's to give.
fn of_state(contract: &Contract<'_>) -> Vec<Case> {
    let fields = contract.told["fields"].as_array().into_iter().flatten();
    let symbols =
        fields.filter(|field| field["name"] == "state").filter_map(|field| field["type"]["symbols"].as_array());
    let others = symbols.flatten().filter(|symbol| *symbol != "CREATED").map(Value::to_string);
    let values = others.chain([r#""created""#, r#""""#, "1", "true", "[]", "{}"].map(str::to_string));
    let mut cases: Vec<_> =
        values.map(|json| contract.of_value("state", &json, Answer::unacceptable("state"))).collect();
    for json in [r#""CREATED""#, "null"] {
        let told = vec![("state".to_string(), r#""CREATED""#.to_string())];
        cases.push(contract.of_value("state", json, Answer::Taken { told }));
    }
    cases
}

fn schema<R: AvroRecord>() -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&R::schema())?)
}

/// What the service's own document says to its clients.
async fn openapi() -> anyhow::Result<Value> {
    Ok(shared().get("/openapi.json").await?.json().await?)
}

fn properties(openapi: &mut Value) -> &mut Value {
    &mut openapi["components"]["schemas"]["NewOrder"]["properties"]
}
