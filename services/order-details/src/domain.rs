use shared_schemas::{Order, OrderValidation};
use streams::Timestamp;

/// The name of this check, which is also the name of the service.
pub const CHECK: &str = "order-details";

/// Checks the facts of an order by itself. A price of nothing is fine, a negative one is not.
pub fn check(order: &Order, max_quantity: i32, checked_at: Timestamp) -> OrderValidation {
    let reason = if order.quantity <= 0 {
        Some(format!("the quantity must be above 0, not {}", order.quantity))
    } else if order.quantity > max_quantity {
        Some(format!("the quantity must be at most {max_quantity}, not {}", order.quantity))
    } else if order.price_minor < 0 {
        Some("the price must not be negative".to_string())
    } else if order.product.trim().is_empty() {
        Some("the product must not be blank".to_string())
    } else if order.customer_id < 0 {
        Some(format!("the customer id must not be negative, but is {}", order.customer_id))
    } else {
        None
    };
    OrderValidation::new(CHECK, order, reason, checked_at)
}

#[cfg(test)]
mod tests {
    use shared_schemas::{CheckResult, OrderState};

    use super::*;

    fn order() -> Order {
        Order {
            id: "o-1".to_string(),
            customer_id: 1,
            state: OrderState::Created,
            product: "JUMPERS".to_string(),
            quantity: 1,
            price_minor: 500,
            currency: "USD".to_string(),
            version: 1,
            reasons: Vec::new(),
            created_at: Timestamp(1000),
            updated_at: Timestamp(1000),
        }
    }

    fn reason(order: &Order) -> Option<String> {
        let validation = check(order, 1_000_000, Timestamp(1000));
        assert_eq!(validation.result == CheckResult::Pass, validation.reason.is_none());
        validation.reason
    }

    #[test]
    fn a_plain_order_passes() {
        let validation = check(&order(), 1_000_000, Timestamp(2000));
        assert_eq!((validation.order_id.as_str(), validation.check.as_str()), ("o-1", "order-details"));
        assert_eq!((validation.result, validation.reason), (CheckResult::Pass, None));
        assert_eq!(validation.checked_at, Timestamp(2000));
    }

    #[test]
    fn the_quantity_must_lie_between_one_and_the_limit() {
        for quantity in [i32::MIN, -1, 0, 1_000_001, i32::MAX] {
            let reason = reason(&Order { quantity, ..order() }).expect("refused");
            assert!(reason.contains("quantity") && reason.contains(&quantity.to_string()), "{reason}");
        }
        for quantity in [1, 2, 999_999, 1_000_000] {
            assert_eq!(reason(&Order { quantity, ..order() }), None);
        }
    }

    #[test]
    fn the_price_may_be_nothing_but_not_negative() {
        for price_minor in [i64::MIN, -1] {
            assert!(reason(&Order { price_minor, ..order() }).expect("refused").contains("price"));
        }
        for price_minor in [0, 1, i64::MAX] {
            assert_eq!(reason(&Order { price_minor, ..order() }), None);
        }
    }

    #[test]
    fn the_product_must_not_be_blank() {
        for product in ["", " ", "\t\n", "\u{a0}"] {
            assert!(reason(&Order { product: product.to_string(), ..order() }).expect("refused").contains("product"));
        }
        assert_eq!(reason(&Order { product: " x ".to_string(), ..order() }), None);
    }

    #[test]
    fn the_customer_id_must_not_be_negative() {
        for customer_id in [i64::MIN, -1] {
            assert!(reason(&Order { customer_id, ..order() }).expect("refused").contains("customer"));
        }
        for customer_id in [0, 1, i64::MAX] {
            assert_eq!(reason(&Order { customer_id, ..order() }), None);
        }
    }
}
