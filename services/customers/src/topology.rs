use service_kit::http::Timeout;
use shared_schemas::{CUSTOMER_REQUESTS, CUSTOMERS, Customer};
use streams::{Store, Topology};

use crate::domain::{self, Decision, Decisions};
use crate::options::Options;

/// How the latest requests for each customer were decided, by customer id.
pub const DECISIONS: Store<Decisions> = Store::new("decisions");

/// Every customer, by id: the public topic itself.
pub fn customers() -> Store<Customer> {
    Store::published(&CUSTOMERS)
}

/// Hears requests; says every customer as it is now.
pub fn topology(_: &Options) -> Topology {
    let topology = Topology::new("customers");
    // The customers first: whoever sees a decision sees what came of it.
    topology.stream(&CUSTOMER_REQUESTS).for_each(&(customers(), DECISIONS), |request, (customers, decisions)| {
        let current = customers.get(request.key);
        let changed = domain::change(current.as_ref(), &request);
        if let Some(changed) = &changed {
            customers.put(request.key, changed);
        }
        let decision = Decision::new(&request, current.as_ref(), changed.as_ref());
        let known = decisions.get(request.key).unwrap_or_default();
        decisions.put(request.key, &known.with(decision, Timeout::LONGEST));
    });
    topology
}

#[cfg(test)]
mod tests;
