use shared_schemas::{ORDERS, OrderState, order_validations};
use streams::{Sessions, Store, Topology};

use crate::domain::{self, Spending};
use crate::options::Options;

/// The open sessions of each customer and currency.
pub const SPENDING: Store<Sessions<Spending>> = Store::new("spending");

/// Hears of created orders, says which of them bring their customer's spending within a session to the limit.
pub fn topology(options: &Options) -> Topology {
    let limit = options.spending_limit;
    let verdicts = order_validations(domain::CHECK);
    let topology = Topology::new(domain::CHECK);

    let created = topology.stream(&ORDERS).filter(|order| order.state == OrderState::Created);
    let (spending, free) = created.branch(|order| domain::spends(&order));
    spending
        .rekey("by-customer", domain::spender)
        .session(&SPENDING, options.inactivity_gap, options.grace)
        .process(domain::merge, move |order, session| [domain::judge(&order, session, limit, order.timestamp)])
        .to(&verdicts);
    // What costs nothing begins no session and keeps none alive.
    free.map(|order| domain::pass(&order, order.timestamp)).to(&verdicts);
    topology
}

#[cfg(test)]
mod tests;
