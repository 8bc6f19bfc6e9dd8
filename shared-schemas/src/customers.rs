use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::{Timestamp, Topic};

/// A client has asked for a customer to be created or changed. Journaled before anything is decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerRequested {
    /// The request exactly as received, so that a misread field can be mended by replay.
    #[serde(with = "avro_codec::bytes")]
    pub body: Vec<u8>,
    pub id: i64,
    /// Id of this request, by which its decision is found.
    pub request_id: String,
    /// The version that must still be the current one: 0 if there must be none yet, nothing if there must be one,
    /// whichever it is.
    pub expected_version: Option<i32>,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    /// Postal address.
    pub address: String,
    pub level: CustomerLevel,
    pub requested_at: Timestamp,
}

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CustomerLevel {
    /// The lowest level, or one this version of the program does not know yet.
    #[default]
    Bronze,
    Silver,
    Gold,
    Platinum,
}

impl AvroRecord for CustomerRequested {
    const SCHEMA: &'static str = include_str!("../avro/CustomerRequested.avsc");
}

impl AvroRecord for Customer {
    const SCHEMA: &'static str = include_str!("../avro/Customer.avsc");
}

/// The journal of what clients asked for.
pub static CUSTOMER_REQUESTS: Topic<CustomerRequested> =
    Topic::new("customer-requests", "customers", |request: &CustomerRequested| request.id.to_string()).private();

/// The customers as known now.
pub static CUSTOMERS: Topic<Customer> =
    Topic::new("customers", "customers", |customer: &Customer| customer.id.to_string()).compacted();
