use shared_schemas::{ORDER_EXPIRATIONS, ORDER_REQUESTS, ORDERS, OrderValidation, order_validations};
use streams::{Clock, Store, Topology};

use crate::domain::{self, OrderEvent, OrderProgress};
use crate::options::Options;

/// Every order and its verdicts, by order id.
pub const ORDER_PROGRESS: Store<OrderProgress> = Store::new("orders");

/// Hears requests, verdicts and expirations; says every version of every order.
pub fn topology(options: &Options) -> Topology {
    let required = options.required_checks();
    let topology = Topology::new("orders");

    let requested = topology.stream(&ORDER_REQUESTS).map(|request| OrderEvent::Requested(request.value.clone()));
    let expired = topology.stream(&ORDER_EXPIRATIONS).map(|expired| OrderEvent::Expired(expired.value.clone()));
    // Each check has a topic of its own, and the topic says whose verdict it is.
    let judged = |check: &String| {
        let check = check.clone();
        topology.stream(&order_validations(&check)).map(move |validation| {
            OrderEvent::Judged(OrderValidation { check: check.clone(), ..validation.value.clone() })
        })
    };
    required
        .iter()
        .map(judged)
        .fold(requested.merge(expired), |events, judged| events.merge(judged))
        .process(&ORDER_PROGRESS, {
            let required = required.clone();
            move |event, orders| {
                let before = orders.get(event.key).unwrap_or_default();
                let mut progress = before.clone();
                let versions = domain::fold(&mut progress, &event, &required, event.timestamp);
                if progress != before {
                    orders.put(event.key, &progress);
                }
                versions
            }
        })
        .to(&ORDERS);

    topology
        .timer(&ORDER_PROGRESS, Clock::Wall, options.validation_deadline(), domain::undecided_since)
        .map(move |order| domain::expire(order.key, &order, &required, order.timestamp))
        .to(&ORDER_EXPIRATIONS);
    topology
}
