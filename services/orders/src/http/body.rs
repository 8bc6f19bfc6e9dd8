use serde::Serialize;
use serde_json::value::RawValue;
use service_kit::http::{JsonBody, Problem, int32, int64, number, text};
use shared_schemas::money::amount;
use shared_schemas::{Order, OrderRequested, OrderState};
use streams::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::money::{currency, minor_units};

/// What a client sends to place an order.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NewOrder {
    /// 1 to 64 characters of `A–Z a–z 0–9 . _ ~ -`; made by the server if missing
    #[schema(example = "my-order-1")]
    id: Option<String>,
    #[schema(example = 1)]
    customer_id: i64,
    #[schema(example = "JUMPERS")]
    product: String,
    #[schema(example = 3)]
    quantity: i32,
    /// Price of one piece
    #[schema(value_type = f64, example = 5.00)]
    price: i64,
    /// ISO 4217 code, USD if missing
    #[schema(example = "USD")]
    currency: Option<String>,
}

/// An order as clients see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderDocument {
    #[schema(example = "my-order-1")]
    id: String,
    customer_id: i64,
    #[schema(value_type = String, example = "VALIDATED")]
    state: OrderState,
    product: String,
    quantity: i32,
    /// Price of one piece
    #[schema(value_type = f64, example = 5.00)]
    price: Option<Box<RawValue>>,
    #[schema(example = "USD")]
    currency: String,
    /// 1 when created, and one more with each change
    version: i32,
    /// Why the order failed
    reasons: Vec<String>,
    #[schema(example = "2026-01-01T12:00:00Z")]
    created_at: String,
    #[schema(example = "2026-01-01T12:00:00Z")]
    updated_at: String,
}

impl NewOrder {
    /// Refuses only what cannot be represented; what is merely bad business is for the checks to judge.
    pub fn read(body: JsonBody) -> Result<Self, Problem> {
        body.read(|fields| {
            let id = fields.optional("id", |json| text(json).and_then(|id| valid_id(&id).map(|()| id)));
            let currency = fields.optional("currency", |json| currency(text(json)?));
            let currency = currency.unwrap_or_else(|| "USD".to_string());
            // An order is created by being placed; every other state is the server's to give.
            fields.optional("state", |json| {
                if text(json)? == "CREATED" { Ok(()) } else { Err("must be CREATED if it is given".to_string()) }
            });
            Self {
                id,
                customer_id: fields.required("customerId", int64),
                product: fields.required("product", text),
                quantity: fields.required("quantity", int32),
                price: fields.required("price", |json| minor_units(number(json)?, &currency)),
                currency: Some(currency),
            }
        })
    }

    /// The event to journal.
    pub fn requested(self, body: Vec<u8>, fallback_id: impl FnOnce() -> String, at: Timestamp) -> OrderRequested {
        OrderRequested {
            body,
            order_id: self.id.unwrap_or_else(fallback_id),
            customer_id: self.customer_id,
            product: self.product,
            quantity: self.quantity,
            price_minor: self.price,
            currency: self.currency.unwrap_or_default(),
            requested_at: at,
        }
    }
}

impl From<&Order> for OrderDocument {
    fn from(order: &Order) -> Self {
        Self {
            id: order.id.clone(),
            customer_id: order.customer_id,
            state: order.state,
            product: order.product.clone(),
            quantity: order.quantity,
            // A decimal is a JSON number as it stands; a float would not be exact.
            price: RawValue::from_string(amount(order.price_minor, &order.currency).to_string()).ok(),
            currency: order.currency.clone(),
            version: order.version,
            reasons: order.reasons.clone(),
            created_at: rfc3339(order.created_at),
            updated_at: rfc3339(order.updated_at),
        }
    }
}

/// Whether an order may have this id; if not, why.
pub fn valid_id(id: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    // The last two are steps in a path: a client that asks for such an order asks for something else.
    if (1..=64).contains(&id.len()) && id.bytes().all(is_allowed) && ![".", ".."].contains(&id) {
        Ok(())
    } else {
        Err("must be 1 to 64 characters of A–Z a–z 0–9 . _ ~ -, and not only . or ..".to_string())
    }
}

fn rfc3339(timestamp: Timestamp) -> String {
    let nanoseconds = i128::from(timestamp.as_millis()) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok();
    // Only years beyond 9999 have no such form.
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}
