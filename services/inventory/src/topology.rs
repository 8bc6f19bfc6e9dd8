use shared_schemas::{ORDERS, STOCK_MOVEMENTS, WAREHOUSE_INVENTORY, order_validations};
use streams::{Clock, Store, Topology};

use crate::domain::{self, CountedMovement, Reservation};
use crate::options::Options;

/// How every order stands with the stock of its product, by order id.
pub const RESERVATIONS: Store<Reservation> = Store::new("reservations");

/// The movements that have been counted, by their ids.
pub const MOVEMENTS: Store<CountedMovement> = Store::new("movements");

/// Hears movements of stock and orders, both by product; says verdicts, and the level of every product.
pub fn topology(options: &Options) -> Topology {
    let levels = Store::published(&WAREHOUSE_INVENTORY);
    let topology = Topology::new(domain::CHECK);

    topology.bootstrap(&STOCK_MOVEMENTS).for_each(&(levels.clone(), MOVEMENTS), |movement, (levels, movements)| {
        if movements.get(&movement.id).is_none() {
            movements.put(&movement.id, &CountedMovement { counted_at: movement.timestamp });
            if let Some(level) = domain::count(levels.get(movement.key), &movement, movement.timestamp) {
                levels.put(movement.key, &level);
            }
        }
    });

    topology
        .stream(&ORDERS)
        .filter(|order| domain::concerns_stock(order.state))
        .rekey("by-product", |order| order.product.clone())
        .process(&(levels, RESERVATIONS), |order, (levels, reservations)| {
            let reservation = reservations.get(&order.id);
            let decision = domain::hear(levels.get(order.key), reservation.as_ref(), &order, order.timestamp);
            if let Some(level) = &decision.level {
                levels.put(order.key, level);
            }
            if let Some(reservation) = &decision.reservation {
                reservations.put(&order.id, reservation);
            }
            decision.validation
        })
        .to(&order_validations(domain::CHECK));

    topology
        .timer(&RESERVATIONS, Clock::Stream, options.ended_orders_kept, domain::ended_since)
        .for_each(&RESERVATIONS, |ended, reservations| reservations.delete(ended.key));
    topology
}

#[cfg(test)]
mod tests;
