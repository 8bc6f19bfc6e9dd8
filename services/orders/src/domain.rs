use serde::{Deserialize, Serialize};
use shared_schemas::{CheckResult, Order, OrderExpired, OrderRequested, OrderState, OrderValidation};
use streams::{AvroRecord, Timestamp};

/// What can happen to an order.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderEvent {
    Requested(OrderRequested),
    Judged(OrderValidation),
    Expired(OrderExpired),
}

/// An order and the verdicts on it so far. A verdict may be read before the request of its order, when both are read
/// again from the beginning; it is kept until the order is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrderProgress {
    pub order: Option<Order>,
    /// The checks that have passed, each once.
    pub passed: Vec<String>,
    /// Why it fails: the first verdict against it.
    pub failure: Option<String>,
}

impl AvroRecord for OrderProgress {
    const SCHEMA: &'static str = concat!(
        r#"{"type": "record", "name": "OrderProgress", "namespace": "millrace.orders", "fields": [
            {"name": "order", "type": ["null", "#,
        include_str!("../../../shared-schemas/avro/Order.avsc"),
        r#"]},
            {"name": "passed", "type": {"type": "array", "items": "string"}},
            {"name": "failure", "type": ["null", "string"]}
        ]}"#
    );
}

/// Folds an event into an order; returns each new version of the order that follows.
///
/// A repeated request, a repeated verdict, a verdict after the decision: none changes anything.
pub fn fold(progress: &mut OrderProgress, event: &OrderEvent, required: &[String], at: Timestamp) -> Vec<Order> {
    let mut versions = Vec::new();
    match event {
        OrderEvent::Requested(request) if progress.order.is_none() => {
            let order = create(request);
            versions.push(order.clone());
            progress.order = Some(order);
        }
        OrderEvent::Requested(_) => {}
        OrderEvent::Judged(validation) => hear(progress, validation),
        OrderEvent::Expired(_) => {
            // Those that are required now: a check that was taken away since is missed by nobody.
            let missing = missing(progress, required);
            if !missing.is_empty() {
                progress.failure.get_or_insert(format!("no verdict in time from {}", missing.join(", ")));
            }
        }
    }
    versions.extend(decide(progress, required, at));
    versions
}

/// Since when an order has waited for its verdict, if it still does.
pub fn undecided_since(progress: &OrderProgress) -> Option<Timestamp> {
    let order = progress.order.as_ref()?;
    (order.state == OrderState::Created).then_some(order.created_at)
}

/// Says that the time of an order is up, and which checks are to blame.
pub fn expire(order_id: &str, progress: &OrderProgress, required: &[String], expired_at: Timestamp) -> OrderExpired {
    OrderExpired { order_id: order_id.to_string(), missing: missing(progress, required), expired_at }
}

fn missing(progress: &OrderProgress, required: &[String]) -> Vec<String> {
    required.iter().filter(|check| !progress.passed.contains(check)).cloned().collect()
}

fn create(request: &OrderRequested) -> Order {
    Order {
        id: request.order_id.clone(),
        customer_id: request.customer_id,
        state: OrderState::Created,
        product: request.product.clone(),
        quantity: request.quantity,
        price_minor: request.price_minor,
        currency: request.currency.clone(),
        version: 1,
        reasons: Vec::new(),
        created_at: request.requested_at,
        updated_at: request.requested_at,
    }
}

fn hear(progress: &mut OrderProgress, validation: &OrderValidation) {
    match validation.result {
        CheckResult::Pass => {
            if !progress.passed.contains(&validation.check) {
                progress.passed.push(validation.check.clone());
            }
        }
        CheckResult::Fail | CheckResult::Error => {
            let reason = validation.reason.as_deref().unwrap_or("no reason given");
            progress.failure.get_or_insert(format!("{}: {reason}", validation.check));
        }
    }
}

/// The verdict, if it can be given now and was not given before.
fn decide(progress: &mut OrderProgress, required: &[String], at: Timestamp) -> Option<Order> {
    let order = progress.order.as_mut().filter(|order| order.state == OrderState::Created)?;
    if let Some(reason) = &progress.failure {
        order.state = OrderState::Failed;
        order.reasons = vec![reason.clone()];
    } else if required.iter().all(|check| progress.passed.contains(check)) {
        order.state = OrderState::Validated;
    } else {
        return None;
    }
    order.version += 1;
    order.updated_at = at;
    Some(order.clone())
}

#[cfg(test)]
mod tests;
