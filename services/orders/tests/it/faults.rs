mod bounds;
mod fields;
mod requests;

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shared_schemas::{Order, OrderRequested};
use streams::AvroRecord;

use self::fields::fields;
use self::requests::{Answer, Case, cases};
use crate::harness::{HTTP, problem, shared};

/// Every field × every fault, and every boundary from both sides. The fields are those of the OpenAPI document that the
/// service shows its clients and of the schema that its journal is written with.
#[tokio::test]
async fn every_fault_of_every_field_is_answered_as_it_should_be() -> anyhow::Result<()> {
    let cases =
        cases(&openapi().await?, &schema::<OrderRequested>()?, &schema::<Order>()?).map_err(anyhow::Error::msg)?;
    let mut wrong = Vec::new();
    for case in &cases {
        wrong.extend(ask(case).await.err().map(|error| format!("{}: {error:#}", case.name)));
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn a_field_that_is_added_without_its_cases_is_named() -> anyhow::Result<()> {
    let field = |name: &str| json!({"name": name, "type": "int", "default": 0});
    let (today, mut event) = (openapi().await?, schema::<OrderRequested>()?);
    let refused = |openapi: &Value, journal: &Value| cases(openapi, journal, &json!({"fields": []})).err();
    assert_eq!(refused(&today, &event), None, "all that there is today has cases");

    let mut request = today.clone();
    properties(&mut request)["priority"] = json!({"type": "integer", "format": "int32"});
    let unsaid = "clients may send `priority`, but OrderRequested does not keep it";
    assert_eq!(refused(&request, &event).as_deref(), Some(unsaid));

    event["fields"].as_array_mut().context("fields are a list")?.push(field("priority"));
    let no_cases =
        "`priority` has no cases: say in faults/bounds.rs which of its values are taken and which are refused";
    assert_eq!(refused(&request, &event).as_deref(), Some(no_cases));

    let unsent =
        "OrderRequested keeps `priority`, but clients cannot send it; if the service makes it, say so in MADE_BY_US";
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
        let refusal = fields(&request, &journal).err().unwrap_or_default();
        assert!(refusal.starts_with(&format!("nothing is known of the faults of `{name}`")), "{refusal}");
    }
    Ok(())
}

/// Sends what a case says, and compares the answer.
async fn ask(case: &Case) -> anyhow::Result<()> {
    let mut request = HTTP.post(shared().service.url() + "/v1/orders").body(case.body.clone());
    for (name, value) in &case.headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await?;
    match &case.answer {
        Answer::Created { told } => {
            let (status, text) = (response.status(), response.text().await?);
            ensure!(status == 201, "{status} instead of 201: {text}");
            let order: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text)?;
            for (field, json) in told {
                let found = order.get(field).map(|found| found.get());
                ensure!(found == Some(json), "{field} came back as {found:?} instead of {json}");
            }
        }
        Answer::Refused { status, field } => {
            let problem = problem(response, *status).await?;
            let pointers = problem["errors"].as_array().into_iter().flatten().map(|error| &error["pointer"]);
            let expected: Vec<_> = field.iter().map(|field| format!("#/{field}")).collect();
            ensure!(pointers.eq(&expected), "instead of {expected:?} it names {}", problem["errors"]);
        }
    }
    Ok(())
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
