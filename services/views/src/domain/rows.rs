use std::sync::Arc;

use shared_schemas::{Customer, MailSent, Order, OrderValidation, Payment, StockLevel};

use super::{kind, level, result, state};

/// The rows that some events make, of each key one, as the columns of the tables in `layout.sql`. Those of orders, customers
/// and stock are written where the table has none of as high a version, validations where it has none of as high an offset,
/// all others where it has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    pub orders: Vec<OrderRow>,
    pub events: Vec<EventRow>,
    pub validations: Vec<ValidationRow>,
    pub payments: Vec<PaymentRow>,
    pub mails: Vec<MailRow>,
    /// Ids that are removed before the others are written.
    pub gone_customers: Vec<i64>,
    pub customers: Vec<CustomerRow>,
    /// Products that are removed before the others are written.
    pub gone_products: Vec<String>,
    pub stock: Vec<StockRow>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OrderRow {
    pub id: String,
    pub customer_id: i64,
    pub state: &'static str,
    pub product: String,
    pub quantity: i32,
    pub price_minor: i64,
    pub currency: String,
    pub reasons: Vec<String>,
    pub version: i32,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    pub order_id: String,
    pub what: String,
    pub note: String,
    pub happened_at_ms: i64,
    pub processed_at_ms: Option<i64>,
    pub traceparent: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ValidationRow {
    pub order_id: String,
    pub check_name: String,
    pub result: &'static str,
    pub reason: Option<String>,
    pub checked_at_ms: i64,
    pub offset: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PaymentRow {
    pub id: String,
    pub order_id: String,
    pub amount_minor: i64,
    pub currency: String,
    pub paid_at_ms: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CustomerRow {
    pub id: i64,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub address: String,
    pub level: &'static str,
    pub version: i32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StockRow {
    pub product: String,
    pub on_hand: i64,
    pub reserved: i64,
    pub version: i32,
    pub updated_at_ms: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MailRow {
    pub id: String,
    pub order_id: String,
    pub kind: &'static str,
    pub subject: String,
    pub sent_at_ms: i64,
}

impl OrderRow {
    pub(super) fn of(order: Order) -> Self {
        Self {
            id: key_text(order.id),
            customer_id: order.customer_id,
            state: state(order.state),
            product: key_text(order.product),
            quantity: order.quantity,
            price_minor: order.price_minor,
            currency: stored_text(order.currency),
            reasons: order.reasons.into_iter().map(stored_text).collect(),
            version: order.version,
            created_at_ms: order.created_at.as_millis(),
            updated_at_ms: order.updated_at.as_millis(),
        }
    }
}

impl ValidationRow {
    pub(super) fn of(judged: OrderValidation, offset: i64) -> Self {
        Self {
            order_id: key_text(judged.order_id),
            check_name: key_text(judged.check),
            result: result(judged.result),
            reason: judged.reason.map(stored_text),
            checked_at_ms: judged.checked_at.as_millis(),
            offset,
        }
    }
}

impl PaymentRow {
    pub(super) fn of(payment: Payment) -> Self {
        Self {
            id: key_text(payment.id),
            order_id: key_text(payment.order_id),
            amount_minor: payment.amount_minor,
            currency: stored_text(payment.currency),
            paid_at_ms: payment.paid_at.as_millis(),
        }
    }
}

impl CustomerRow {
    pub(super) fn of(customer: Customer) -> Self {
        Self {
            id: customer.id,
            first_name: stored_text(customer.first_name),
            last_name: stored_text(customer.last_name),
            email: stored_text(customer.email),
            address: stored_text(customer.address),
            level: level(customer.level),
            version: customer.version,
        }
    }
}

impl StockRow {
    pub(super) fn of(stock: StockLevel) -> Self {
        Self {
            product: key_text(stock.product),
            on_hand: stock.on_hand,
            reserved: stock.reserved,
            version: stock.version,
            updated_at_ms: stock.updated_at.as_millis(),
        }
    }
}

impl MailRow {
    pub(super) fn of(mail: MailSent) -> Self {
        Self {
            id: key_text(mail.idempotency_key),
            order_id: key_text(mail.order_id),
            kind: kind(mail.kind),
            subject: stored_text(mail.subject),
            sent_at_ms: mail.sent_at.as_millis(),
        }
    }
}

/// Bytes of a text that an index takes, twice in one entry.
const MOST_OF_A_KEY: usize = 512;

/// A text as PostgreSQL takes it: it refuses U+0000.
pub fn stored_text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// A text that stands in an index, which refuses what is too long: the beginning of a long one, and what tells it from
/// others that begin alike.
pub fn key_text(text: String) -> String {
    let text = stored_text(text);
    if text.len() <= MOST_OF_A_KEY {
        return text;
    }
    let start = &text[..text.floor_char_boundary(MOST_OF_A_KEY - 20)];
    format!("{start}…{:016x}", fnv_1a(text.as_bytes()))
}

/// The 64-bit hash of Fowler, Noll and Vo (FNV-1a): the same in every version of this program.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
