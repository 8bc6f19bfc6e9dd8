use serde_json::Value;
use shared_schemas::{Customer, CustomerRequested};
use streams::AvroRecord;
use test_kit::HTTP;
use test_kit::faults::{Bounds, Contract, Field};

use crate::harness::{CREATE, customer, new_id, shared};

/// As orders does it: by the OpenAPI document and the schema of the journal.
#[tokio::test]
async fn every_fault_of_every_field_is_answered_as_it_should_be() -> anyhow::Result<()> {
    let openapi: Value = HTTP.get(shared().service.url() + "/openapi.json").send().await?.json().await?;
    let contract = Contract {
        openapi: &openapi,
        request: "NewCustomer",
        journal: &serde_json::from_str(CustomerRequested::SCHEMA)?,
        told: &serde_json::from_str(Customer::SCHEMA)?,
        called: &[],
        made_by_us: &["body", "id", "requestId", "expectedVersion", "requestedAt"],
        also_sent: &[],
        bounds,
        sample: || customer("Ada"),
    };
    let cases = contract.cases().map_err(anyhow::Error::msg)?;
    let mut wrong = Vec::new();
    for case in &cases {
        let request = HTTP.put(shared().url(new_id())).header(CREATE.0, CREATE.1);
        wrong.extend(case.ask(request).await.err().map(|error| format!("{}: {error:#}", case.name)));
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    Ok(())
}

fn bounds(field: &Field) -> Option<Bounds> {
    match field.name.as_str() {
        "firstName" | "lastName" => Some(lines(100)),
        "address" => Some(lines(500)),
        "email" => Some(emails()),
        "level" => Some(Bounds::texts(
            &["BRONZE", "SILVER", "GOLD", "PLATINUM"],
            &["", "gold", "GOLD ", "IRON", "UNKNOWN", "null"],
        )),
        _ => None,
    }
}

/// Characters are counted, not bytes.
fn lines(most: usize) -> Bounds {
    let (longest, too_long) = ("ü".repeat(most), "x".repeat(most + 1));
    Bounds::texts(
        &["x", " x ", "\"\\", "null", "ü😀\u{10ffff}", "O'Neill", longest.as_str()],
        &["", " ", "\u{a0}", "\0", "a\nb", "a\r\nBcc: b", "\t", "\u{7f}", too_long.as_str()],
    )
}

fn emails() -> Bounds {
    let host = "x".repeat(252);
    let (longest, too_long) = (format!("a@{host}"), format!("ab@{host}"));
    Bounds::texts(
        &["a@b", "ada.miller+mill@example.com", "ü@exämple.org", longest.as_str()],
        &["", "@", "a@", "@b", "a", "a@b@c", "a b@c", "a@b c", "a@b\n", "a@b\r\nBcc: c@d", too_long.as_str()],
    )
}
