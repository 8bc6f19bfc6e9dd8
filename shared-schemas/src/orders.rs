use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::{Timestamp, Topic};

/// A client has asked for an order. Journaled before anything is decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRequested {
    /// The request exactly as received, so that a misread field can be mended by replay.
    #[serde(with = "avro_codec::bytes")]
    pub body: Vec<u8>,
    pub order_id: String,
    pub customer_id: i64,
    pub product: String,
    pub quantity: i32,
    /// Price of one piece in the currency's minor unit.
    pub price_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
    pub requested_at: Timestamp,
}

/// An order's verdicts did not all arrive in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderExpired {
    pub order_id: String,
    /// The required checks that have given no verdict.
    pub missing: Vec<String>,
    pub expired_at: Timestamp,
}

/// An order as it stands: each change is the whole fact anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    pub id: String,
    pub customer_id: i64,
    pub state: OrderState,
    pub product: String,
    pub quantity: i32,
    /// Price of one piece in the currency's minor unit.
    pub price_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// 1 when created, and one more with each change.
    pub version: i32,
    /// Why the order failed; empty unless it did.
    pub reasons: Vec<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrderState {
    /// A state this version of the program does not know yet.
    Unknown,
    Created,
    Validated,
    Failed,
    Paid,
    Shipped,
    Cancelled,
}

impl AvroRecord for OrderRequested {
    const SCHEMA: &'static str = include_str!("../avro/OrderRequested.avsc");
}

impl AvroRecord for OrderExpired {
    const SCHEMA: &'static str = include_str!("../avro/OrderExpired.avsc");
}

impl AvroRecord for Order {
    const SCHEMA: &'static str = include_str!("../avro/Order.avsc");
}

/// The journal of what clients asked for.
pub static ORDER_REQUESTS: Topic<OrderRequested> =
    Topic::new("order-requests", "orders", |request| request.order_id.clone());

/// Orders whose time for validation was up.
pub static ORDER_EXPIRATIONS: Topic<OrderExpired> =
    Topic::new("order-expirations", "orders", |expired| expired.order_id.clone());

/// Every version of every order.
pub static ORDERS: Topic<Order> = Topic::new("orders", "orders", |order| order.id.clone());
