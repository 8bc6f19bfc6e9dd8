use serde::{Deserialize, Serialize};
use shared_schemas::money::amount;
use shared_schemas::{Customer, MailDue, MailKind, Order, OrderEnriched, OrderState, Payment};
use streams::{AvroRecord, Timestamp};

/// What is heard of an order.
#[derive(Clone, Debug)]
pub enum Heard {
    /// It is validated, and this is a payment for it.
    Paid(Order, Payment),
    /// It is validated and costs nothing.
    Free(Order),
    Failed(Order),
}

/// What was done about an order: the payments that count for it, and whether its customer hears of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mailing {
    /// Ids of the payments that have been counted.
    pub payments: Vec<String>,
    /// What they come to, in minor units of the order's currency; a sum beyond the range stays at its end.
    pub paid_minor: i64,
    pub is_mailed: bool,
    /// When something was last heard of the order.
    pub heard_at: Timestamp,
}

/// An order about which a mail is due, that waits for the record of its customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    pub order: Order,
    pub due_at: Timestamp,
    /// How often the customer was looked up in vain.
    pub lookups: i32,
    pub looked_up_at: Timestamp,
}

/// An order about which a mail is due, with its customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Addressed {
    pub order: Order,
    pub customer: Customer,
    pub due_at: Timestamp,
}

/// How often a customer is looked up, at equal distances, before the order is given up.
pub const LOOKUPS: i32 = 12;

impl AvroRecord for Mailing {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Mailing", "namespace": "millrace.email", "fields": [
        {"name": "payments", "type": {"type": "array", "items": "string"}},
        {"name": "paidMinor", "type": "long"},
        {"name": "isMailed", "type": "boolean"},
        {"name": "heardAt", "type": {"type": "long", "logicalType": "timestamp-millis"}}
    ]}"#;
}

impl AvroRecord for Waiting {
    const SCHEMA: &'static str = "";

    fn schema() -> String {
        format!(
            r#"{{"type": "record", "name": "Waiting", "namespace": "millrace.email", "fields": [
                {{"name": "order", "type": {}}},
                {{"name": "dueAt", "type": {{"type": "long", "logicalType": "timestamp-millis"}}}},
                {{"name": "lookups", "type": "int"}},
                {{"name": "lookedUpAt", "type": {{"type": "long", "logicalType": "timestamp-millis"}}}}
            ]}}"#,
            Order::schema()
        )
    }
}

/// Takes note of what is heard of an order, and says whether its customer is to be told now: once per order, as soon as the
/// payments in the order's currency come to its price, or it failed. A payment that is heard of twice counts once; one of
/// nothing, or less, does not count. What costs nothing need not be paid.
pub fn hear(mailing: &mut Mailing, heard: &Heard, at: Timestamp) -> Option<Order> {
    let (order, is_due) = match heard {
        Heard::Failed(order) | Heard::Free(order) => (order, true),
        Heard::Paid(order, payment) => {
            let is_fit = payment.currency == order.currency && payment.amount_minor > 0;
            if is_fit && !mailing.is_mailed && !mailing.payments.contains(&payment.id) {
                mailing.payments.push(payment.id.clone());
                mailing.paid_minor = mailing.paid_minor.saturating_add(payment.amount_minor);
            }
            (order, mailing.paid_minor >= price_minor(order))
        }
    };
    mailing.heard_at = mailing.heard_at.max(at);
    let is_first = is_due && !mailing.is_mailed;
    mailing.is_mailed |= is_due;
    is_first.then(|| order.clone())
}

impl Waiting {
    /// An order whose customer is not known yet.
    pub fn new(order: &Order, due_at: Timestamp) -> Self {
        Self { order: order.clone(), due_at, lookups: 1, looked_up_at: due_at }
    }

    /// After one more lookup in vain; nothing if that was the last.
    pub fn again(&self, at: Timestamp) -> Option<Self> {
        let lookups = self.lookups + 1;
        (self.lookups < LOOKUPS).then(|| Self { lookups, looked_up_at: at, ..self.clone() })
    }
}

/// The mail about an order, to where its customer lives now.
pub fn mail(addressed: &Addressed) -> MailDue {
    let Addressed { order, customer, due_at } = addressed;
    let name = [customer.first_name.as_str(), customer.last_name.as_str()].join(" ").trim().to_string();
    let (kind, word, subject, news) = if order.state == OrderState::Failed {
        let reasons: String = order.reasons.iter().map(|reason| format!("  - {reason}\n")).collect();
        let news = format!("we could not accept your order:\n\n{}\nfor these reasons:\n\n{reasons}", items(order));
        (MailKind::Rejection, "rejection", "could not be accepted", news)
    } else {
        let address = &customer.address;
        let news =
            format!("thank you for your order and your payment:\n\n{}\nIt goes to:\n\n  {address}\n", items(order));
        (MailKind::Confirmation, "confirmation", "is confirmed", news)
    };
    MailDue {
        idempotency_key: format!("{}/{word}", order.id),
        order_id: order.id.clone(),
        kind,
        text: format!("Dear {name},\n\n{news}"),
        recipient_name: name,
        recipient_address: customer.email.clone(),
        subject: format!("Your order {} {subject}", order.id),
        reason: if order.reasons.is_empty() { "validated and paid".to_string() } else { order.reasons.join("; ") },
        due_at: *due_at,
    }
}

/// A confirmed order with the level of its customer; nothing about one that failed.
pub fn enriched(addressed: &Addressed) -> Option<OrderEnriched> {
    let Addressed { order, customer, .. } = addressed;
    (order.state == OrderState::Validated).then(|| OrderEnriched {
        order_id: order.id.clone(),
        customer_id: order.customer_id,
        customer_level: customer.level,
        state: order.state,
    })
}

fn items(order: &Order) -> String {
    let Order { quantity, product, currency, .. } = order;
    let (each, all) = (amount(order.price_minor, currency), amount(price_minor(order), currency));
    format!("  {quantity} x {product} at {each} {currency}, {all} {currency} in all\n")
}

/// What an order costs, in the currency's minor unit.
pub fn price_minor(order: &Order) -> i64 {
    order.price_minor.saturating_mul(order.quantity.into())
}

#[cfg(test)]
mod tests;
