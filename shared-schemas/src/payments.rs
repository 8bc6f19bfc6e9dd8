use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::{Timestamp, Topic};

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

impl AvroRecord for Payment {
    const SCHEMA: &'static str = include_str!("../avro/Payment.avsc");
}

/// Payments received.
pub static PAYMENTS: Topic<Payment> = Topic::new("payments", "payments", |payment| payment.id.clone());
