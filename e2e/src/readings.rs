use std::collections::BTreeMap;
use std::time::Instant;

use shared_schemas::{Order, OrderState};
use streams::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::client::OrderDocument;

/// What one request was shown of an order.
#[derive(Clone, Debug)]
pub struct Reading {
    pub id: String,
    /// Before the request was sent.
    pub asked_at: Instant,
    /// After the answer had come.
    pub answered_at: Instant,
    pub shown: Shown,
}

/// What an answer says of an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    Order(Box<OrderDocument>),
    /// There is no such order.
    NoOrder,
    /// There is no verdict on it, perhaps no order.
    NoVerdict,
}

/// Every reading that was wrong, given all that was ever written: one that shows what is not in the log, and one that shows
/// less than somebody had been shown before it was asked for. Such an answer comes from the past: from an instance that has
/// lost its partition and does not know it.
pub fn wrong_answers(readings: &[Reading], orders: &[Order]) -> Vec<String> {
    let versions: BTreeMap<(&str, i32), &Order> =
        orders.iter().map(|order| ((order.id.as_str(), order.version), order)).collect();
    let mut found: Vec<String> = readings
        .iter()
        .filter_map(|reading| Some(format!("{} {}", reading.id, invented(reading, &versions)?)))
        .collect();

    let mut of_order: BTreeMap<&str, Vec<&Reading>> = BTreeMap::new();
    for reading in readings {
        of_order.entry(&reading.id).or_default().push(reading);
    }
    for (id, mut readings) in of_order {
        readings.sort_by_key(|reading| reading.asked_at);
        let mut answered = readings.clone();
        answered.sort_by_key(|reading| reading.answered_at);
        let mut answered = answered.into_iter().peekable();
        let mut known = 0;
        for reading in readings {
            while let Some(earlier) = answered.next_if(|earlier| earlier.answered_at < reading.asked_at) {
                known = known.max(earlier.shown.at_least());
            }
            if reading.shown.at_most() < known {
                found.push(format!("{id} had version {known}, and a later question was told {:?}", reading.shown));
            }
        }
    }
    found
}

/// What is wrong with a reading whenever it was taken.
fn invented(reading: &Reading, versions: &BTreeMap<(&str, i32), &Order>) -> Option<String> {
    let Shown::Order(document) = &reading.shown else { return None };
    match versions.get(&(reading.id.as_str(), document.version)) {
        None => Some(format!("was shown in version {}, which was never written", document.version)),
        Some(order) if !is_of(document, order) => Some(format!("was shown as {document:?}, and is {order:?}")),
        Some(_) => None,
    }
}

/// Whether a document shows exactly this version of an order. An aborted attempt at it would have another time.
fn is_of(document: &OrderDocument, order: &Order) -> bool {
    document.id == order.id
        && document.state == state(order.state)
        && document.customer_id == order.customer_id
        && document.product == order.product
        && document.quantity == order.quantity
        && document.reasons == order.reasons
        && document.updated_at == moment(order.updated_at)
}

/// A moment as documents have it.
pub(crate) fn moment(timestamp: Timestamp) -> String {
    let nanoseconds = i128::from(timestamp.as_millis()) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).expect("this is a moment of our time")
}

fn state(state: OrderState) -> String {
    format!("{state:?}").to_uppercase()
}

impl Shown {
    /// The version that is certainly there after this was shown.
    fn at_least(&self) -> i32 {
        match self {
            Self::Order(document) => document.version,
            Self::NoOrder | Self::NoVerdict => 0,
        }
    }

    /// The latest version that an answer of this kind may hide.
    fn at_most(&self) -> i32 {
        match self {
            Self::Order(document) => document.version,
            Self::NoOrder => 0,
            Self::NoVerdict => 1,
        }
    }
}

#[cfg(test)]
mod tests;
