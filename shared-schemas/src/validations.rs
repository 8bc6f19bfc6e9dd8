use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::{Timestamp, Topic};

use crate::Order;

/// The verdict of one check on one order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderValidation {
    pub order_id: String,
    /// Name of the check, such as `order-details`.
    pub check: String,
    pub result: CheckResult,
    /// Why the order does not pass; none if it does.
    pub reason: Option<String>,
    /// Event time of the order that was checked.
    pub checked_at: Timestamp,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CheckResult {
    Pass,
    Fail,
    /// The check could not tell, or found something this version of the program does not know yet.
    Error,
}

impl OrderValidation {
    /// The verdict of `check` on an order: it fails if there is a reason why.
    pub fn new(check: &str, order: &Order, reason: Option<String>, checked_at: Timestamp) -> Self {
        let result = if reason.is_none() { CheckResult::Pass } else { CheckResult::Fail };
        Self { order_id: order.id.clone(), check: check.to_string(), result, reason, checked_at }
    }
}

impl AvroRecord for OrderValidation {
    const SCHEMA: &'static str = include_str!("../avro/OrderValidation.avsc");
}

/// Verdicts on the facts of an order itself.
pub static ORDER_DETAILS_VALIDATIONS: Topic<OrderValidation> =
    Topic::new("order-validations-order-details", "order-details", order_id);

/// Verdicts of the check of that name, which are written by the service of that name.
///
/// Each check has a topic of its own, so that the broker can enforce the single writer, and so that a new check is
/// added without touching this crate.
pub fn order_validations(check: &str) -> Topic<OrderValidation> {
    Topic::named(format!("order-validations-{check}"), check.to_string(), order_id)
}

fn order_id(validation: &OrderValidation) -> String {
    validation.order_id.clone()
}
