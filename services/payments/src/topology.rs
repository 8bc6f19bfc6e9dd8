use shared_schemas::{PAYMENT_REQUESTS, PAYMENTS, Payment};
use streams::{Store, Topology};

use crate::domain;
use crate::options::Options;

/// Every payment, by its id.
pub const PAYMENT_STORE: Store<Payment> = Store::new("payments");

/// Hears requests; says every payment, once.
pub fn topology(_: &Options) -> Topology {
    let topology = Topology::new("payments");
    let received = topology.stream(&PAYMENT_REQUESTS).process(&PAYMENT_STORE, |request, payments| {
        let payment = domain::receive(payments.get(request.key).as_ref(), &request);
        if let Some(payment) = &payment {
            payments.put(request.key, payment);
        }
        payment
    });
    received.to(&PAYMENTS);
    topology
}

#[cfg(test)]
mod tests {
    use shared_schemas::PaymentRequested;
    use streams::{TestDriver, Timestamp};

    use super::*;

    #[test]
    fn the_first_request_of_an_id_is_the_payment_and_is_said_once() {
        let mut driver = TestDriver::new(topology(&Options {})).unwrap();
        for amount_minor in [500, 500, 700] {
            driver.pipe(&PAYMENT_REQUESTS, &request("a", amount_minor));
        }
        driver.pipe(&PAYMENT_REQUESTS, &request("b", 700));
        let payments = driver.read(&PAYMENTS);
        let said: Vec<_> = payments.iter().map(|payment| (payment.id.as_str(), payment.amount_minor)).collect();
        assert_eq!(said, [("a", 500), ("b", 700)]);
        assert_eq!(driver.stored(&PAYMENT_STORE, "a").as_ref(), payments.first());
    }

    fn request(id: &str, amount_minor: i64) -> PaymentRequested {
        PaymentRequested {
            body: Vec::new(),
            id: id.to_string(),
            order_id: "order-1".to_string(),
            amount_minor,
            currency: "USD".to_string(),
            requested_at: Timestamp(1000),
        }
    }
}
