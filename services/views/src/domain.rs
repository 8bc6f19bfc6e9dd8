//! What the tables hold after some events: the same, whether these come at once or one by one, and however often.

mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shared_schemas::{
    CheckResult, Customer, CustomerLevel, MailKind, MailSent, Order, OrderExpired, OrderRequested, OrderState,
    OrderValidation, Payment, StockLevel, money,
};
use streams::Timestamp;

pub use rows::{
    CustomerRow, EventRow, MailRow, OrderRow, PaymentRow, Rows, StockRow, ValidationRow, key_text, stored_text,
};

/// Where an event stands in the log, and when it was really written.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    pub processed_at: Option<Timestamp>,
    /// Its place in the trace of the request it follows from.
    pub traceparent: Option<String>,
}

/// What the log says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Requested(OrderRequested),
    Expired(OrderExpired),
    Ordered(Order),
    Judged(OrderValidation),
    Paid(Payment),
    Mailed(MailSent),
    CustomerChanged(Customer),
    /// By id.
    CustomerGone(i64),
    StockChanged(StockLevel),
    ProductGone(String),
}

/// Adds up events to the rows that they make.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    rows: Rows,
    customers: BTreeMap<i64, Kept<CustomerRow>>,
    stock: BTreeMap<String, Kept<StockRow>>,
}

/// What is left of a row that may go.
#[derive(Clone, Debug)]
struct Kept<R> {
    /// Whatever row there was before.
    is_gone: bool,
    /// The one that has come since.
    row: Option<R>,
}

impl Rows {
    /// The rows that these events make, given in the sequence of each partition.
    pub fn of(events: impl IntoIterator<Item = (Place, Event)>) -> Self {
        let mut fold = Fold::default();
        for (place, event) in events {
            fold.add(&place, event);
        }
        fold.rows()
    }
}

/// How long an order has waited for the verdict that this event brings, by the clock on the wall.
pub fn verdict_latency(place: &Place, event: &Event) -> Option<Duration> {
    let Event::Ordered(order) = event else { return None };
    let is_verdict = matches!(order.state, OrderState::Validated | OrderState::Failed);
    let written = place.processed_at.filter(|_| is_verdict)?;
    let millis = written.as_millis().saturating_sub(order.created_at.as_millis());
    Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

impl Fold {
    /// Takes note of an event. Those of a partition come in its sequence.
    pub fn add(&mut self, place: &Place, event: Event) {
        match event {
            Event::Requested(request) => {
                self.journey(place, &request.order_id, "requested", String::new(), request.requested_at);
            }
            Event::Expired(expired) => {
                let note = format!("no verdict of {}", expired.missing.join(", "));
                self.journey(place, &expired.order_id, "expired", note, expired.expired_at);
            }
            Event::Ordered(order) => {
                self.journey(place, &order.id, state(order.state), order.reasons.join("; "), order.updated_at);
                self.rows.orders.push(OrderRow::of(order));
            }
            Event::Judged(judged) => {
                let what = format!("{}: {}", judged.check, result(judged.result));
                let note = judged.reason.clone().unwrap_or_default();
                self.journey(place, &judged.order_id, &what, note, judged.checked_at);
                self.rows.validations.push(ValidationRow::of(judged, place.offset));
            }
            Event::Paid(payment) => {
                let amount = money::amount(payment.amount_minor, &payment.currency);
                let note = format!("{amount} {}", payment.currency);
                self.journey(place, &payment.order_id, "paid", note, payment.paid_at);
                self.rows.payments.push(PaymentRow::of(payment));
            }
            Event::Mailed(mail) => {
                self.journey(place, &mail.order_id, "mailed", mail.subject.clone(), mail.sent_at);
                self.rows.mails.push(MailRow::of(mail));
            }
            Event::CustomerChanged(customer) => {
                let row = CustomerRow::of(customer);
                self.customers.entry(row.id).or_default().take(row, |row| row.version);
            }
            Event::CustomerGone(id) => drop(self.customers.insert(id, Kept { is_gone: true, row: None })),
            Event::StockChanged(level) => {
                let row = StockRow::of(level);
                self.stock.entry(row.product.clone()).or_default().take(row, |row| row.version);
            }
            Event::ProductGone(product) => {
                self.stock.insert(key_text(product), Kept { is_gone: true, row: None });
            }
        }
    }

    fn journey(&mut self, place: &Place, order_id: &str, what: &str, note: String, happened_at: Timestamp) {
        self.rows.events.push(EventRow {
            topic: place.topic.clone(),
            partition: place.partition,
            offset: place.offset,
            order_id: key_text(order_id.to_string()),
            what: stored_text(what.to_string()),
            note: stored_text(note),
            happened_at_ms: happened_at.as_millis(),
            processed_at_ms: place.processed_at.map(Timestamp::as_millis),
            traceparent: place.traceparent.clone(),
        });
    }

    /// What it all comes to: of each key one row, sorted by keys.
    pub fn rows(self) -> Rows {
        let Self { mut rows, customers, stock } = self;
        // Where two are equal the first stays, as it would have if they had come one by one.
        rows.orders.sort_by(|a, b| a.id.cmp(&b.id).then(b.version.cmp(&a.version)));
        rows.orders.dedup_by(|next, kept| next.id == kept.id);
        let key = |row: &ValidationRow| (row.order_id.clone(), row.check_name.clone());
        rows.validations
            .sort_by(|a, b| (&a.order_id, &a.check_name, b.offset).cmp(&(&b.order_id, &b.check_name, a.offset)));
        rows.validations.dedup_by(|next, kept| key(next) == key(kept));
        rows.events.sort_by(|a, b| (&a.topic, a.partition, a.offset).cmp(&(&b.topic, b.partition, b.offset)));
        rows.events.dedup_by(|next, kept| {
            (&next.topic, next.partition, next.offset) == (&kept.topic, kept.partition, kept.offset)
        });
        rows.payments.sort_by(|a, b| a.id.cmp(&b.id));
        rows.payments.dedup_by(|next, kept| next.id == kept.id);
        rows.mails.sort_by(|a, b| a.id.cmp(&b.id));
        rows.mails.dedup_by(|next, kept| next.id == kept.id);
        for (id, Kept { is_gone, row }) in customers {
            rows.gone_customers.extend(is_gone.then_some(id));
            rows.customers.extend(row);
        }
        for (product, Kept { is_gone, row }) in stock {
            rows.gone_products.extend(is_gone.then_some(product));
            rows.stock.extend(row);
        }
        rows
    }
}

impl<R> Kept<R> {
    fn take(&mut self, row: R, version: impl Fn(&R) -> i32) {
        if self.row.as_ref().is_none_or(|kept| version(kept) < version(&row)) {
            self.row = Some(row);
        }
    }
}

impl<R> Default for Kept<R> {
    fn default() -> Self {
        Self { is_gone: false, row: None }
    }
}

fn state(state: OrderState) -> &'static str {
    match state {
        OrderState::Unknown => "UNKNOWN",
        OrderState::Created => "CREATED",
        OrderState::Validated => "VALIDATED",
        OrderState::Failed => "FAILED",
        OrderState::Paid => "PAID",
        OrderState::Shipped => "SHIPPED",
        OrderState::Cancelled => "CANCELLED",
    }
}

fn result(result: CheckResult) -> &'static str {
    match result {
        CheckResult::Pass => "PASS",
        CheckResult::Fail => "FAIL",
        CheckResult::Error => "ERROR",
    }
}

fn level(level: CustomerLevel) -> &'static str {
    match level {
        CustomerLevel::Bronze => "BRONZE",
        CustomerLevel::Silver => "SILVER",
        CustomerLevel::Gold => "GOLD",
        CustomerLevel::Platinum => "PLATINUM",
    }
}

fn kind(kind: MailKind) -> &'static str {
    match kind {
        MailKind::Unknown => "UNKNOWN",
        MailKind::Confirmation => "CONFIRMATION",
        MailKind::Rejection => "REJECTION",
    }
}
