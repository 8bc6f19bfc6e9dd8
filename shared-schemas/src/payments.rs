use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::{Timestamp, Topic};

/// A client has said that an order is paid for. Journaled before anything is decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequested {
    /// The request exactly as received, so that a misread field can be mended by replay.
    #[serde(with = "avro_codec::bytes")]
    pub body: Vec<u8>,
    pub id: String,
    pub order_id: String,
    /// Amount in the currency's minor unit.
    pub amount_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
    pub requested_at: Timestamp,
}

/// An order has been paid for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    pub id: String,
    pub order_id: String,
    /// Amount in the currency's minor unit.
    pub amount_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
    pub paid_at: Timestamp,
}

impl AvroRecord for PaymentRequested {
    const SCHEMA: &'static str = include_str!("../avro/PaymentRequested.avsc");
}

impl AvroRecord for Payment {
    const SCHEMA: &'static str = include_str!("../avro/Payment.avsc");
}

/// The journal of what clients asked for.
pub static PAYMENT_REQUESTS: Topic<PaymentRequested> =
    Topic::new("payment-requests", "payments", |request: &PaymentRequested| request.id.clone()).private();

/// Payments received.
pub static PAYMENTS: Topic<Payment> = Topic::new("payments", "payments", |payment| payment.id.clone());
