use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared_schemas::{Customer, CustomerRequested};
use streams::{AvroRecord, Timestamp};

/// How one request was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    pub request_id: String,
    /// Whether the customer is now as the request has it.
    pub is_accepted: bool,
    /// Version of the customer after the decision; 0 if there is none.
    pub version: i32,
    /// Event time of the request.
    pub requested_at: Timestamp,
}

/// The latest decisions on one customer, for the clients that wait for them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Decisions {
    pub latest: Vec<Decision>,
}

/// How many decisions on one customer are kept; as many as one transaction may bring. A client whose decision was pushed
/// out by so many others is told that its request is journaled, and finds out what became of it by reading the customer.
const MOST: usize = 1000;

impl AvroRecord for Decisions {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Decisions", "namespace": "millrace.customers", "fields": [
        {"name": "latest", "type": {"type": "array", "items":
            {"type": "record", "name": "Decision", "fields": [
                {"name": "requestId", "type": "string"},
                {"name": "isAccepted", "type": "boolean"},
                {"name": "version", "type": "int"},
                {"name": "requestedAt", "type": {"type": "long", "logicalType": "timestamp-millis"}}
            ]}}}
    ]}"#;
}

/// The next version of a customer, if the client has seen the current one.
pub fn change(current: Option<&Customer>, request: &CustomerRequested) -> Option<Customer> {
    let version = current.map_or(0, |customer| customer.version);
    let is_seen = match request.expected_version {
        Some(expected) => expected == version,
        None => current.is_some(),
    };
    is_seen.then(|| requested(request, version + 1))
}

/// The customer as a request has it, in that version.
pub fn requested(request: &CustomerRequested, version: i32) -> Customer {
    Customer {
        id: request.id,
        first_name: request.first_name.clone(),
        last_name: request.last_name.clone(),
        email: request.email.clone(),
        address: request.address.clone(),
        level: request.level,
        version,
    }
}

impl Decision {
    /// The decision on a request that found the customer as `current` and made it `changed`.
    pub fn new(request: &CustomerRequested, current: Option<&Customer>, changed: Option<&Customer>) -> Self {
        Self {
            request_id: request.request_id.clone(),
            is_accepted: changed.is_some(),
            version: changed.or(current).map_or(0, |customer| customer.version),
            requested_at: request.requested_at,
        }
    }
}

impl Decisions {
    /// With one more decision, and without those that nobody can wait for any longer.
    #[must_use]
    pub fn with(mut self, decision: Decision, longest_wait: Duration) -> Self {
        self.latest.retain(|earlier| earlier.requested_at + longest_wait >= decision.requested_at);
        self.latest.push(decision);
        let too_many = self.latest.len().saturating_sub(MOST);
        self.latest.drain(..too_many);
        self
    }

    /// The decision on the request with this id.
    pub fn on(self, request_id: &str) -> Option<Decision> {
        self.latest.into_iter().find(|decision| decision.request_id == request_id)
    }
}

#[cfg(test)]
mod tests;
