use serde::Serialize;
use serde_json::value::RawValue;
use service_kit::http::{Call, JsonBody, Problem, exact, id, int32, int64, number, rfc3339, text};
use shared_schemas::money::{amount, currency, minor_units};
use shared_schemas::{Order, OrderRequested, OrderState};
use utoipa::ToSchema;

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
    pub fn read(body: &JsonBody) -> Result<Self, Problem> {
        body.read(|fields| {
            let currency = fields.optional("currency", |json| currency(text(json)?));
            let currency = currency.unwrap_or_else(|| "USD".to_string());
            // An order is created by being placed; every other state is the server's to give.
            fields.optional("state", |json| {
                if text(json)? == "CREATED" { Ok(()) } else { Err("must be CREATED if it is given".to_string()) }
            });
            Self {
                id: fields.optional("id", id),
                customer_id: fields.required("customerId", int64),
                product: fields.required("product", text),
                quantity: fields.required("quantity", int32),
                price: fields.required("price", |json| minor_units(number(json)?, &currency)),
                currency: Some(currency),
            }
        })
    }

    /// The event to journal.
    pub fn requested(self, call: &Call, fallback_id: String) -> OrderRequested {
        OrderRequested {
            body: call.body.bytes().to_vec(),
            order_id: self.id.unwrap_or(fallback_id),
            customer_id: self.customer_id,
            product: self.product,
            quantity: self.quantity,
            price_minor: self.price,
            currency: self.currency.unwrap_or_default(),
            requested_at: call.received_at,
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
            price: exact(amount(order.price_minor, &order.currency)),
            currency: order.currency.clone(),
            version: order.version,
            reasons: order.reasons.clone(),
            created_at: rfc3339(order.created_at),
            updated_at: rfc3339(order.updated_at),
        }
    }
}
