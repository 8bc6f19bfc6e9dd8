use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::Topic;

/// A customer as known now: each change is the whole fact anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    pub id: i64,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    /// Postal address.
    pub address: String,
    pub level: CustomerLevel,
    /// 1 for the first fact of the customer, and one more with each change.
    pub version: i32,
}

/// How good a customer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CustomerLevel {
    /// The lowest level, or one this version of the program does not know yet.
    Bronze,
    Silver,
    Gold,
    Platinum,
}

impl AvroRecord for Customer {
    const SCHEMA: &'static str = include_str!("../avro/Customer.avsc");
}

/// The customers as known now.
pub static CUSTOMERS: Topic<Customer> =
    Topic::new("customers", "customers", |customer: &Customer| customer.id.to_string()).compacted();
