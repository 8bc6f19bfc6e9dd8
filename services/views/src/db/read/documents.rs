//! What clients see of the view, as it is read.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use service_kit::http::{exact, rfc3339};
use shared_schemas::money::{Decimal, decimals};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use streams::Timestamp;
use utoipa::ToSchema;

/// A moment: milliseconds in the database, RFC 3339 for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct Moment(pub i64);

/// An amount in decimals.
pub type Amount = Option<Box<RawValue>>;

/// An order as it stands, with its customer and what was paid for it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    #[schema(example = "my-order-1")]
    pub id: String,
    customer_id: i64,
    /// Null as long as nothing is known of the customer
    customer: Option<CustomerOfOrder>,
    #[schema(example = "VALIDATED")]
    state: String,
    product: String,
    quantity: i32,
    /// Price of one piece
    #[schema(value_type = f64, example = 5.00)]
    price: Amount,
    #[schema(example = "USD")]
    currency: String,
    /// The sum of its payments in its currency
    #[schema(value_type = f64, example = 15.00)]
    paid: Amount,
    /// 1 when created, and one more with each change
    pub version: i32,
    /// Why the order failed
    reasons: Vec<String>,
    #[schema(value_type = String, example = "2026-01-01T12:00:00Z")]
    pub created_at: Moment,
    #[schema(value_type = String, example = "2026-01-01T12:00:00Z")]
    updated_at: Moment,
}

/// What an order tells of its customer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerOfOrder {
    first_name: String,
    last_name: String,
    #[schema(example = "GOLD")]
    level: String,
}

/// An order with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderWithStory {
    #[serde(flatten)]
    pub order: Order,
    pub validations: Vec<Validation>,
    pub payments: Vec<Payment>,
    pub mails: Vec<Mail>,
    /// Every event of the order, in the order in which they were written; the first thousand
    pub journey: Vec<Step>,
}

/// What a check says about an order.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    #[schema(example = "fraud")]
    check: String,
    #[schema(example = "PASS")]
    result: String,
    reason: Option<String>,
    #[schema(value_type = String, example = "2026-01-01T12:00:00Z")]
    checked_at: Moment,
}

/// A payment for an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    id: String,
    #[schema(value_type = f64, example = 15.00)]
    amount: Amount,
    #[schema(example = "USD")]
    currency: String,
    #[schema(value_type = String, example = "2026-01-01T12:00:00Z")]
    paid_at: Moment,
}

/// A mail that went out.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    #[schema(example = "my-order-1/confirmation")]
    pub id: String,
    order_id: String,
    #[schema(example = "CONFIRMATION")]
    kind: String,
    subject: String,
    #[schema(value_type = String, example = "2026-01-01T12:00:00Z")]
    pub sent_at: Moment,
}

/// One event of an order, and where it stands in the log.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    topic: String,
    partition: i32,
    offset: i64,
    #[schema(example = "VALIDATED")]
    what: String,
    /// Reasons, amounts, a subject; empty if there is nothing to say
    note: String,
    #[schema(value_type = String, example = "2026-01-01T12:00:00Z")]
    happened_at: Moment,
    /// When it was written, if its writer said so
    #[schema(value_type = Option<String>, example = "2026-01-01T12:00:00.012Z")]
    processed_at: Option<Moment>,
    /// Its place in a trace (W3C Trace Context), if it has one; the trace id is the second field
    #[schema(example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
    traceparent: Option<String>,
}

/// How much of a product there is.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    #[schema(example = "JUMPERS")]
    product: String,
    on_hand: i64,
    reserved: i64,
    /// What is on hand and not reserved
    available: i64,
    version: i32,
    #[schema(value_type = String, example = "2026-01-01T12:00:00Z")]
    updated_at: Moment,
}

/// A customer.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    id: i64,
    first_name: String,
    last_name: String,
    #[schema(example = "GOLD")]
    level: String,
    version: i32,
}

/// What was paid in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    #[schema(example = "USD")]
    currency: String,
    #[schema(value_type = f64, example = 15.00)]
    amount: Amount,
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(Timestamp(self.0)))
    }
}

impl FromRow<'_, PgRow> for Order {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let currency: String = row.try_get("currency")?;
        let level: Option<String> = row.try_get("level")?;
        let customer = match level {
            Some(level) => {
                let (first_name, last_name) = (row.try_get("first_name")?, row.try_get("last_name")?);
                Some(CustomerOfOrder { first_name, last_name, level })
            }
            None => None,
        };
        Ok(Self {
            id: row.try_get("id")?,
            customer_id: row.try_get("customer_id")?,
            customer,
            state: row.try_get("state")?,
            product: row.try_get("product")?,
            quantity: row.try_get("quantity")?,
            price: amount(row.try_get("price_minor")?, &currency),
            paid: amount(row.try_get("paid_minor")?, &currency),
            currency,
            version: row.try_get("version")?,
            reasons: row.try_get("reasons")?,
            created_at: row.try_get("created_at_ms")?,
            updated_at: row.try_get("updated_at_ms")?,
        })
    }
}

impl FromRow<'_, PgRow> for Payment {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let currency: String = row.try_get("currency")?;
        let amount = amount(row.try_get("amount_minor")?, &currency);
        Ok(Self { id: row.try_get("id")?, amount, currency, paid_at: row.try_get("paid_at_ms")? })
    }
}

impl FromRow<'_, PgRow> for Spent {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let currency: String = row.try_get("currency")?;
        Ok(Self { amount: amount(row.try_get("spent_minor")?, &currency), currency })
    }
}

/// The amount that so many minor units are, written in digits, since a sum may be longer than any of its parts.
fn amount(minor_units: String, currency: &str) -> Amount {
    let scale = decimals(currency).unwrap_or(2);
    exact(Decimal::try_from_i128_with_scale(minor_units.parse().ok()?, scale).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_the_decimals_of_its_currency_and_keeps_every_digit() {
        let written = |minor: &str, currency| amount(minor.to_string(), currency).map(|raw| raw.get().to_string());
        assert_eq!(written("1500", "USD").as_deref(), Some("15.00"));
        assert_eq!(written("7", "JPY").as_deref(), Some("7"));
        assert_eq!(written("-1", "nothing known").as_deref(), Some("-0.01"));
        assert_eq!(written("92233720368547758070", "KWD").as_deref(), Some("92233720368547758.070"));
    }

    #[test]
    fn a_moment_is_written_as_elsewhere() -> serde_json::Result<()> {
        assert_eq!(serde_json::to_string(&Moment(1_700_000_000_012))?, r#""2023-11-14T22:13:20.012Z""#);
        Ok(())
    }
}
