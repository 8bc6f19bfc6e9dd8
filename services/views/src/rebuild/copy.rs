use super::seen::Seen;
use crate::domain::{EventRow, MailRow, OrderRow, PaymentRow, Rows, ValidationRow};

/// What a batch adds to the tables.
#[derive(Debug)]
pub struct Portion {
    /// Rows of which the tables certainly have none.
    pub copies: Vec<Copy>,
    /// Rows of which they may have one.
    pub upserts: Rows,
}

/// Rows of one table in the binary format of COPY, which needs no escapes: each field is its length and its bytes.
#[derive(Debug)]
pub struct Copy {
    pub statement: &'static str,
    pub bytes: Vec<u8>,
}

const ORDERS: &str = "COPY orders (id, customer_id, state, product, quantity, price_minor, currency, reasons, version,
    created_at_ms, updated_at_ms, change) FROM STDIN (FORMAT binary)";
const EVENTS: &str = r#"COPY events (topic, partition, "offset", order_id, what, note, happened_at_ms, processed_at_ms,
    traceparent) FROM STDIN (FORMAT binary)"#;
const VALIDATIONS: &str = r#"COPY validations (order_id, check_name, result, reason, checked_at_ms, "offset")
    FROM STDIN (FORMAT binary)"#;
const PAYMENTS: &str = "COPY payments (id, order_id, amount_minor, currency, paid_at_ms, change)
    FROM STDIN (FORMAT binary)";
const MAILS: &str = "COPY mails (id, order_id, kind, subject, sent_at_ms, change) FROM STDIN (FORMAT binary)";

/// Of all rows: whoever follows the changes begins behind the rebuild.
pub const CHANGE: i64 = 0;

impl Portion {
    /// Every event is read once, so that its row is new; other rows are if their keys are. Customers and products are few.
    pub fn of(mut rows: Rows, seen: &mut Seen) -> Self {
        let orders = split(&mut rows.orders, |row| seen.is_new(("order", &row.id)));
        let validations = split(&mut rows.validations, |row| seen.is_new(("check", &row.order_id, &row.check_name)));
        let payments = split(&mut rows.payments, |row| seen.is_new(("payment", &row.id)));
        let mails = split(&mut rows.mails, |row| seen.is_new(("mail", &row.id)));
        let events = std::mem::take(&mut rows.events);
        let copies = [
            Copy::of(ORDERS, &orders, order),
            Copy::of(EVENTS, &events, event),
            Copy::of(VALIDATIONS, &validations, validation),
            Copy::of(PAYMENTS, &payments, payment),
            Copy::of(MAILS, &mails, mail),
        ];
        Self { copies: copies.into_iter().flatten().collect(), upserts: rows }
    }
}

/// Takes out what is new.
fn split<R>(rows: &mut Vec<R>, mut is_new: impl FnMut(&R) -> bool) -> Vec<R> {
    let (new, others) = std::mem::take(rows).into_iter().partition(|row| is_new(row));
    *rows = others;
    new
}

impl Copy {
    /// Nothing, if there are no rows.
    fn of<R>(statement: &'static str, rows: &[R], write: fn(&mut Vec<u8>, &R)) -> Option<Self> {
        /// A signature, no flags, no extension.
        const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
        const END: [u8; 2] = (-1_i16).to_be_bytes();

        if rows.is_empty() {
            return None;
        }
        let mut bytes = HEADER.to_vec();
        rows.iter().for_each(|row| write(&mut bytes, row));
        bytes.extend_from_slice(&END);
        Some(Self { statement, bytes })
    }
}

fn order(bytes: &mut Vec<u8>, row: &OrderRow) {
    begin(bytes, 12);
    text(bytes, &row.id);
    bigint(bytes, row.customer_id);
    text(bytes, row.state);
    text(bytes, &row.product);
    integer(bytes, row.quantity);
    bigint(bytes, row.price_minor);
    text(bytes, &row.currency);
    texts(bytes, &row.reasons);
    integer(bytes, row.version);
    bigint(bytes, row.created_at_ms);
    bigint(bytes, row.updated_at_ms);
    bigint(bytes, CHANGE);
}

fn event(bytes: &mut Vec<u8>, row: &EventRow) {
    begin(bytes, 9);
    text(bytes, &row.topic);
    integer(bytes, row.partition);
    bigint(bytes, row.offset);
    text(bytes, &row.order_id);
    text(bytes, &row.what);
    text(bytes, &row.note);
    bigint(bytes, row.happened_at_ms);
    optional(bytes, row.processed_at_ms, bigint);
    optional(bytes, row.traceparent.as_deref(), text);
}

fn validation(bytes: &mut Vec<u8>, row: &ValidationRow) {
    begin(bytes, 6);
    text(bytes, &row.order_id);
    text(bytes, &row.check_name);
    text(bytes, row.result);
    optional(bytes, row.reason.as_deref(), text);
    bigint(bytes, row.checked_at_ms);
    bigint(bytes, row.offset);
}

fn payment(bytes: &mut Vec<u8>, row: &PaymentRow) {
    begin(bytes, 6);
    text(bytes, &row.id);
    text(bytes, &row.order_id);
    bigint(bytes, row.amount_minor);
    text(bytes, &row.currency);
    bigint(bytes, row.paid_at_ms);
    bigint(bytes, CHANGE);
}

fn mail(bytes: &mut Vec<u8>, row: &MailRow) {
    begin(bytes, 6);
    text(bytes, &row.id);
    text(bytes, &row.order_id);
    text(bytes, row.kind);
    text(bytes, &row.subject);
    bigint(bytes, row.sent_at_ms);
    bigint(bytes, CHANGE);
}

fn begin(bytes: &mut Vec<u8>, fields: i16) {
    bytes.extend_from_slice(&fields.to_be_bytes());
}

fn text(bytes: &mut Vec<u8>, value: &str) {
    bytes.extend_from_slice(&length(value.len()));
    bytes.extend_from_slice(value.as_bytes());
}

fn integer(bytes: &mut Vec<u8>, value: i32) {
    bytes.extend_from_slice(&length(size_of::<i32>()));
    bytes.extend_from_slice(&value.to_be_bytes());
}

fn bigint(bytes: &mut Vec<u8>, value: i64) {
    bytes.extend_from_slice(&length(size_of::<i64>()));
    bytes.extend_from_slice(&value.to_be_bytes());
}

fn optional<T>(bytes: &mut Vec<u8>, value: Option<T>, write: fn(&mut Vec<u8>, T)) {
    match value {
        Some(value) => write(bytes, value),
        None => bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
    }
}

/// An array of one dimension, or of none if it is empty.
fn texts(bytes: &mut Vec<u8>, values: &[String]) {
    const HAS_NO_NULLS: i32 = 0;
    const TYPE_OF_TEXT: i32 = 25;
    const LOWER_BOUND: i32 = 1;

    let mut array = Vec::new();
    array.extend_from_slice(&i32::from(!values.is_empty()).to_be_bytes());
    array.extend_from_slice(&HAS_NO_NULLS.to_be_bytes());
    array.extend_from_slice(&TYPE_OF_TEXT.to_be_bytes());
    if !values.is_empty() {
        array.extend_from_slice(&length(values.len()));
        array.extend_from_slice(&LOWER_BOUND.to_be_bytes());
        values.iter().for_each(|value| text(&mut array, value));
    }
    bytes.extend_from_slice(&length(array.len()));
    bytes.extend_from_slice(&array);
}

/// What does not fit is refused by the server: it would be larger than any record is.
fn length(length: usize) -> [u8; 4] {
    i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes()
}
