use serde::{Deserialize, Serialize};
use shared_schemas::{Order, OrderState, OrderValidation, StockLevel, StockMoved};
use streams::{AvroRecord, Timestamp};

/// The name of this check, which is also the name of the service.
pub const CHECK: &str = "inventory";

/// How an order stands with the stock of its product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    pub state: ReservationState,
    /// Pieces that are promised to the order; none unless it is HELD.
    pub quantity: i64,
    /// Event time of the record that led to the state.
    pub since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReservationState {
    /// The order passed, and its pieces are counted as reserved.
    Held,
    /// The order was judged, and nothing is reserved for it, or no longer.
    Over,
    /// The order ended before its creation was heard of: once it is, nothing may be reserved for it.
    Overtaken,
}

/// A movement of stock that has been counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountedMovement {
    pub counted_at: Timestamp,
}

/// What follows from an order: the things that change, as they are now, and the verdict if it is the time for it.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    pub level: Option<StockLevel>,
    pub reservation: Option<Reservation>,
    pub validation: Option<OrderValidation>,
}

impl AvroRecord for Reservation {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Reservation", "namespace": "millrace.inventory", "fields": [
        {"name": "state", "type": {"type": "enum", "name": "ReservationState", "symbols": ["HELD", "OVER", "OVERTAKEN"]}},
        {"name": "quantity", "type": "long"},
        {"name": "since", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#;
}

impl AvroRecord for CountedMovement {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "CountedMovement", "namespace": "millrace.inventory", "fields": [
        {"name": "countedAt", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#;
}

/// Counts a movement that was not counted before; none if it changes nothing.
///
/// What is counted is a fact, so more may be promised afterwards than is there. A sum that nobody can count stays at the
/// end of the numbers.
pub fn count(level: Option<StockLevel>, movement: &StockMoved, at: Timestamp) -> Option<StockLevel> {
    let before = level.unwrap_or_else(|| nothing_of(&movement.product, at));
    let on_hand = before.on_hand.saturating_add(movement.quantity);
    // Under the product that the movement names, whatever key it came with: the store takes no other.
    let product = movement.product.clone();
    (on_hand != before.on_hand).then(|| changed(StockLevel { product, on_hand, ..before }, at))
}

/// Hears how an order stands. The first time that it is created it is judged; when it ends, what it holds is released or
/// leaves the warehouse. Whatever was heard before changes nothing.
pub fn hear(level: Option<StockLevel>, reservation: Option<&Reservation>, order: &Order, at: Timestamp) -> Decision {
    use OrderState::{Cancelled, Created, Failed, Shipped};
    use ReservationState::{Held, Overtaken};
    match (order.state, reservation) {
        (Created, None) => judge(level, order, at),
        (Created, Some(Reservation { state: Overtaken, .. })) => {
            refuse(order, "the order had ended before its creation was heard of".to_string(), at)
        }
        (Failed | Cancelled, Some(&Reservation { state: Held, quantity, .. })) => end(level, 0, quantity, at),
        (Shipped, Some(&Reservation { state: Held, quantity, .. })) => end(level, quantity, quantity, at),
        (Failed | Cancelled | Shipped, None) => {
            Decision { reservation: Some(nothing_held(Overtaken, at)), ..Decision::default() }
        }
        _ => Decision::default(),
    }
}

/// Whether what becomes of an order in this state concerns the stock.
pub fn concerns_stock(state: OrderState) -> bool {
    matches!(state, OrderState::Created | OrderState::Failed | OrderState::Cancelled | OrderState::Shipped)
}

/// Since when a reservation has waited to be forgotten, if nothing is reserved any more.
pub fn ended_since(reservation: &Reservation) -> Option<Timestamp> {
    (reservation.state != ReservationState::Held).then_some(reservation.since)
}

fn judge(level: Option<StockLevel>, order: &Order, at: Timestamp) -> Decision {
    let quantity = i64::from(order.quantity);
    if quantity <= 0 {
        return refuse(order, format!("the quantity must be above 0, not {quantity}"), at);
    }
    let available = level.as_ref().map_or(0, |level| level.on_hand.saturating_sub(level.reserved));
    match level.filter(|_| quantity <= available) {
        Some(level) => Decision {
            level: Some(changed(StockLevel { reserved: level.reserved.saturating_add(quantity), ..level }, at)),
            reservation: Some(Reservation { state: ReservationState::Held, quantity, since: at }),
            validation: Some(OrderValidation::new(CHECK, order, None, at)),
        },
        None => refuse(order, format!("{quantity} asked for, {available} available"), at),
    }
}

fn refuse(order: &Order, reason: String, at: Timestamp) -> Decision {
    Decision {
        level: None,
        reservation: Some(nothing_held(ReservationState::Over, at)),
        validation: Some(OrderValidation::new(CHECK, order, Some(reason), at)),
    }
}

/// Takes so many pieces out of the warehouse, and so many out of what is reserved.
fn end(level: Option<StockLevel>, shipped: i64, released: i64, at: Timestamp) -> Decision {
    let level = level.map(|level| {
        let on_hand = level.on_hand.saturating_sub(shipped);
        let reserved = level.reserved.saturating_sub(released);
        changed(StockLevel { on_hand, reserved, ..level }, at)
    });
    Decision { level, reservation: Some(nothing_held(ReservationState::Over, at)), validation: None }
}

fn nothing_held(state: ReservationState, since: Timestamp) -> Reservation {
    Reservation { state, quantity: 0, since }
}

/// The level of a product before anything of it was there; never published.
fn nothing_of(product: &str, at: Timestamp) -> StockLevel {
    StockLevel { product: product.to_string(), on_hand: 0, reserved: 0, version: 0, updated_at: at }
}

fn changed(level: StockLevel, updated_at: Timestamp) -> StockLevel {
    StockLevel { version: level.version.saturating_add(1), updated_at, ..level }
}

#[cfg(test)]
mod tests;
