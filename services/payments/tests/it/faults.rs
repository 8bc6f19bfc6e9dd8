use serde_json::Value;
use shared_schemas::{Payment, PaymentRequested};
use streams::AvroRecord;
use test_kit::faults::{Bounds, Contract, Field, Range, Shape};
use test_kit::{HTTP, unique};

use crate::harness::{payment, shared};

/// As orders does it: by the OpenAPI document and the schema of the journal.
#[tokio::test]
async fn every_fault_of_every_field_is_answered_as_it_should_be() -> anyhow::Result<()> {
    let openapi: Value = HTTP.get(shared().service.url() + "/openapi.json").send().await?.json().await?;
    let contract = Contract {
        openapi: &openapi,
        request: "NewPayment",
        journal: &serde_json::from_str(PaymentRequested::SCHEMA)?,
        told: &serde_json::from_str(Payment::SCHEMA)?,
        called: &[("amount", "amountMinor")],
        made_by_us: &["body", "requestedAt"],
        also_sent: &[],
        bounds,
        sample: || payment(&unique("fault")),
    };
    let cases = contract.cases().map_err(anyhow::Error::msg)?;
    let mut wrong = Vec::new();
    for case in &cases {
        let asked = case.ask(HTTP.post(shared().service.url() + "/v1/payments")).await;
        wrong.extend(asked.err().map(|error| format!("{}: {error:#}", case.name)));
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    Ok(())
}

fn bounds(field: &Field) -> Option<Bounds> {
    match (field.name.as_str(), field.shape) {
        ("id" | "orderId", Shape::Text) => Some(Bounds::ids()),
        // More than nothing.
        ("amount", Shape::Decimal(range)) => Some(Bounds::amounts(Range { least: 1, ..range })),
        ("currency", Shape::Text) => Some(Bounds::currencies()),
        _ => None,
    }
}
