use serde::Serialize;
use serde_json::value::RawValue;
use service_kit::http::{Call, JsonBody, Problem, exact, id, number, rfc3339, text};
use shared_schemas::money::{amount, currency, minor_units};
use shared_schemas::{Payment, PaymentRequested};
use utoipa::ToSchema;

/// What a client sends to pay for an order.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NewPayment {
    /// 1 to 64 characters of `A–Z a–z 0–9 . _ ~ -`; made by the server if missing
    #[schema(example = "my-payment-1")]
    id: Option<String>,
    #[schema(example = "my-order-1")]
    order_id: String,
    /// More than nothing
    #[schema(value_type = f64, example = 15.00)]
    amount: i64,
    /// ISO 4217 code, USD if missing
    #[schema(example = "USD")]
    currency: Option<String>,
}

/// A payment as clients see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDocument {
    #[schema(example = "my-payment-1")]
    id: String,
    #[schema(example = "my-order-1")]
    order_id: String,
    #[schema(value_type = f64, example = 15.00)]
    amount: Option<Box<RawValue>>,
    #[schema(example = "USD")]
    currency: String,
    #[schema(example = "2026-01-01T12:00:00Z")]
    paid_at: String,
}

impl NewPayment {
    /// Nobody judges payments later, as the checks do orders: an amount of nothing or less is refused here. Whether there
    /// is such an order is not asked; a payment may be faster than its order.
    pub fn read(body: &JsonBody) -> Result<Self, Problem> {
        body.read(|fields| {
            let currency = fields.optional("currency", |json| currency(text(json)?));
            let currency = currency.unwrap_or_else(|| "USD".to_string());
            Self {
                id: fields.optional("id", id),
                order_id: fields.required("orderId", id),
                amount: fields.required("amount", |json| match minor_units(number(json)?, &currency)? {
                    minor_units @ 1.. => Ok(minor_units),
                    _ => Err("must be more than 0".to_string()),
                }),
                currency: Some(currency),
            }
        })
    }

    /// The event to journal.
    pub fn requested(self, call: &Call, fallback_id: String) -> PaymentRequested {
        PaymentRequested {
            body: call.body.bytes().to_vec(),
            id: self.id.unwrap_or(fallback_id),
            order_id: self.order_id,
            amount_minor: self.amount,
            currency: self.currency.unwrap_or_default(),
            requested_at: call.received_at,
        }
    }
}

impl From<Payment> for PaymentDocument {
    fn from(payment: Payment) -> Self {
        Self {
            amount: exact(amount(payment.amount_minor, &payment.currency)),
            id: payment.id,
            order_id: payment.order_id,
            currency: payment.currency,
            paid_at: rfc3339(payment.paid_at),
        }
    }
}
