use shared_schemas::{ORDERS, OrderState, order_validations};
use streams::Topology;

use crate::domain;
use crate::options::Options;

/// Hears of created orders, says whether their facts make sense.
pub fn topology(options: &Options) -> Topology {
    let max_quantity = options.max_quantity;
    let topology = Topology::new(domain::CHECK);
    topology
        .stream(&ORDERS)
        .filter(|order| order.state == OrderState::Created)
        .map(move |order| domain::check(&order, max_quantity, order.timestamp))
        .to(&order_validations(domain::CHECK));
    topology
}

#[cfg(test)]
mod tests {
    use shared_schemas::{CheckResult, Order};
    use streams::{TestDriver, Timestamp};

    use super::*;

    fn order(id: &str, state: OrderState, quantity: i32) -> Order {
        Order {
            id: id.to_string(),
            customer_id: 1,
            state,
            product: "JUMPERS".to_string(),
            quantity,
            price_minor: 500,
            currency: "USD".to_string(),
            version: 1,
            reasons: Vec::new(),
            created_at: Timestamp(1000),
            updated_at: Timestamp(1000),
        }
    }

    #[test]
    fn every_created_order_gets_one_validation_and_no_other_state_gets_any() {
        let mut driver = TestDriver::new(topology(&Options { max_quantity: 10 })).unwrap();
        driver.pipe_at(&ORDERS, Timestamp(2000), &order("fine", OrderState::Created, 10));
        driver.pipe(&ORDERS, &order("fine", OrderState::Validated, 10));
        driver.pipe(&ORDERS, &order("many", OrderState::Created, 11));
        driver.pipe(&ORDERS, &order("many", OrderState::Failed, 11));
        driver.pipe(&ORDERS, &order("paid", OrderState::Paid, 1));
        let validations = driver.read(&order_validations(domain::CHECK));
        let verdicts: Vec<_> = validations.iter().map(|v| (v.order_id.as_str(), v.result)).collect();
        assert_eq!(verdicts, [("fine", CheckResult::Pass), ("many", CheckResult::Fail)]);
        assert_eq!(validations[0].checked_at, Timestamp(2000), "the event time of the order, not a clock");
    }
}
