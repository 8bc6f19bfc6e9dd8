use std::time::Duration;

use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::{Timestamp, Topic};

use crate::{CustomerLevel, OrderState};

/// An order together with what matters about its customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderEnriched {
    pub order_id: String,
    pub customer_id: i64,
    /// Level of the customer at that moment.
    pub customer_level: CustomerLevel,
    pub state: OrderState,
}

impl AvroRecord for OrderEnriched {
    const SCHEMA: &'static str = include_str!("../avro/OrderEnriched.avsc");
}

/// A mail has to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailDue {
    /// The same for ever for the same mail, so that a repetition is recognized wherever it arrives.
    pub idempotency_key: String,
    pub order_id: String,
    pub kind: MailKind,
    /// Name of the customer, as in a salutation.
    pub recipient_name: String,
    pub recipient_address: String,
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// Why it is sent, for those who look into the outbox.
    pub reason: String,
    /// When what it tells of happened.
    pub due_at: Timestamp,
}

/// What a mail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MailKind {
    /// A kind this version of the program does not know yet.
    Unknown,
    Confirmation,
    Rejection,
}

impl AvroRecord for MailDue {
    const SCHEMA: &'static str = include_str!("../avro/MailDue.avsc");
}

/// A mail has gone out: a provider or mail server has taken it. Who it went to is not for everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailSent {
    /// The key of the mail. A mail whose sender died may be told of more than once; equal keys count once.
    pub idempotency_key: String,
    pub order_id: String,
    pub kind: MailKind,
    pub subject: String,
    /// When it was taken.
    pub sent_at: Timestamp,
}

impl AvroRecord for MailSent {
    const SCHEMA: &'static str = include_str!("../avro/MailSent.avsc");
}

/// The mails that have to be sent.
pub static EMAIL_OUTBOX: Topic<MailDue> =
    Topic::new("email-outbox", "email", |mail: &MailDue| mail.idempotency_key.clone())
        .kept_for(Duration::from_secs(30 * 24 * 60 * 60))
        .private();

/// The mails that went out.
pub static MAILS_SENT: Topic<MailSent> = Topic::new("mails-sent", "email", |mail: &MailSent| mail.order_id.clone());

/// Confirmed orders of platinum customers.
pub static ORDERS_PLATINUM: Topic<OrderEnriched> = confirmed_orders("orders-platinum");

/// Confirmed orders of gold customers.
pub static ORDERS_GOLD: Topic<OrderEnriched> = confirmed_orders("orders-gold");

/// Confirmed orders of silver customers.
pub static ORDERS_SILVER: Topic<OrderEnriched> = confirmed_orders("orders-silver");

/// Confirmed orders of bronze customers.
pub static ORDERS_BRONZE: Topic<OrderEnriched> = confirmed_orders("orders-bronze");

const fn confirmed_orders(name: &'static str) -> Topic<OrderEnriched> {
    const ONE_WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    Topic::new(name, "email", |order: &OrderEnriched| order.order_id.clone()).kept_for(ONE_WEEK)
}
