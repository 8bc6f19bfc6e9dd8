use serde::{Deserialize, Serialize};
use shared_schemas::money::{Decimal, amount};
use shared_schemas::{Order, OrderValidation};
use streams::{AvroRecord, Timestamp};

/// The name of this check, which is also the name of the service.
pub const CHECK: &str = "fraud";

/// What the orders of one customer and currency come to within a session, whether they are fulfilled or not: whoever
/// tries to spend is counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spending {
    /// In the currency's minor unit; a sum beyond the range stays at its end.
    pub total_minor: i64,
}

impl AvroRecord for Spending {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Spending", "namespace": "millrace.fraud", "fields": [
        {"name": "totalMinor", "type": "long"}
    ]}"#;
}

/// Whose spending an order counts towards: amounts of different currencies do not add up.
pub fn spender(order: &Order) -> String {
    format!("{}-{}", order.customer_id, order.currency)
}

/// Whether an order spends anything. One that does not is none of this check's business.
pub fn spends(order: &Order) -> bool {
    cost_minor(order) > 0
}

/// Passes an order that spends nothing.
pub fn pass(order: &Order, checked_at: Timestamp) -> OrderValidation {
    OrderValidation::new(CHECK, order, None, checked_at)
}

/// Counts an order that spends something, and fails it if the session comes to the limit.
pub fn judge(order: &Order, session: &mut Spending, limit: Decimal, checked_at: Timestamp) -> OrderValidation {
    session.add(cost_minor(order));
    let total = amount(session.total_minor, &order.currency);
    let reason = (total >= limit).then(|| {
        let currency = &order.currency;
        format!("the orders of one session must stay below {limit} {currency}, and come to {total} {currency}")
    });
    OrderValidation::new(CHECK, order, reason, checked_at)
}

/// Adds up two sessions that turn out to be one.
pub fn merge(session: &mut Spending, later: Spending) {
    session.add(later.total_minor.into());
}

impl Spending {
    fn add(&mut self, minor_units: i128) {
        self.total_minor = i64::try_from(i128::from(self.total_minor) + minor_units).unwrap_or(i64::MAX);
    }
}

/// Not even the largest quantity at the highest price is too much for 128 bits.
fn cost_minor(order: &Order) -> i128 {
    i128::from(order.quantity) * i128::from(order.price_minor)
}

#[cfg(test)]
mod tests;
