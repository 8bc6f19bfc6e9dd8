use std::time::Duration;

use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::Topic;

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
