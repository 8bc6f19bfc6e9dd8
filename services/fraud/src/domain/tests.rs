use shared_schemas::{CheckResult, OrderState};

use super::*;

fn order(quantity: i32, price_minor: i64, currency: &str) -> Order {
    Order {
        id: "o-1".to_string(),
        customer_id: 7,
        state: OrderState::Created,
        product: "JUMPERS".to_string(),
        quantity,
        price_minor,
        currency: currency.to_string(),
        version: 1,
        reasons: Vec::new(),
        created_at: Timestamp(1000),
        updated_at: Timestamp(1000),
    }
}

fn limit() -> Decimal {
    "2000.00".parse().unwrap()
}

/// Given what was spent in the session, whether an order passes, and what the session comes to with it.
fn judged(spent_minor: i64, order: &Order) -> (CheckResult, i64) {
    let mut session = Spending { total_minor: spent_minor };
    let validation = judge(order, &mut session, limit(), Timestamp(1000));
    assert_eq!(validation.result == CheckResult::Pass, validation.reason.is_none());
    (validation.result, session.total_minor)
}

use CheckResult::{Fail, Pass};

#[test]
fn an_order_below_the_limit_passes_and_is_counted() {
    let mut session = Spending::default();
    let validation = judge(&order(3, 500, "USD"), &mut session, limit(), Timestamp(2000));
    assert_eq!((validation.order_id.as_str(), validation.check.as_str()), ("o-1", "fraud"));
    assert_eq!((validation.result, validation.reason), (Pass, None));
    assert_eq!(validation.checked_at, Timestamp(2000));
    assert_eq!(session, Spending { total_minor: 1500 });
}

#[test]
fn a_session_passes_up_to_one_minor_unit_below_the_limit() {
    assert_eq!(judged(0, &order(1, 199_999, "USD")), (Pass, 199_999));
    assert_eq!(judged(0, &order(1, 200_000, "USD")), (Fail, 200_000));
    assert_eq!(judged(0, &order(1, 200_001, "USD")), (Fail, 200_001));
    assert_eq!(judged(199_900, &order(1, 99, "USD")), (Pass, 199_999));
    assert_eq!(judged(199_900, &order(1, 100, "USD")), (Fail, 200_000));
}

#[test]
fn an_order_that_fails_counts_and_so_do_those_behind_it() {
    assert_eq!(judged(200_000, &order(1, 1, "USD")), (Fail, 200_001));
}

#[test]
fn the_reason_names_limit_and_total_in_the_currency() {
    let mut session = Spending { total_minor: 15_000 };
    let validation = judge(&order(50, 7500, "USD"), &mut session, limit(), Timestamp(1000));
    let reason = "the orders of one session must stay below 2000.00 USD, and come to 3900.00 USD";
    assert_eq!(validation.reason.as_deref(), Some(reason));
}

#[test]
fn the_limit_holds_in_units_of_currencies_with_other_decimals() {
    assert_eq!(judged(0, &order(1, 1_999, "JPY")).0, Pass, "1999 yen");
    assert_eq!(judged(0, &order(1, 2_000, "JPY")).0, Fail, "2000 yen");
    assert_eq!(judged(0, &order(1, 1_999_999, "KWD")).0, Pass, "1999.999 dinars");
    assert_eq!(judged(0, &order(1, 2_000_000, "KWD")).0, Fail, "2000.000 dinars");
    let between = "1999.5".parse().unwrap();
    let of_yen = |yen| judge(&order(1, yen, "JPY"), &mut Spending::default(), between, Timestamp(1000)).result;
    assert_eq!((of_yen(1_999), of_yen(2_000)), (Pass, Fail), "no yen is worth 1999.5");
}

#[test]
fn a_customer_spends_in_each_currency_apart() {
    let dollars = order(1, 1, "USD");
    assert_eq!(spender(&dollars), "7-USD");
    assert_eq!(spender(&Order { id: "o-2".to_string(), quantity: 2, ..dollars.clone() }), spender(&dollars));
    assert_ne!(spender(&order(1, 1, "EUR")), spender(&dollars));
    assert_ne!(spender(&Order { customer_id: -7, ..dollars.clone() }), spender(&dollars));
}

#[test]
fn an_order_spends_if_quantity_times_price_is_above_nothing() {
    assert!(spends(&order(1, 1, "USD")) && spends(&order(i32::MAX, i64::MAX, "USD")));
    for (quantity, price_minor) in [(0, 500), (3, 0), (-1, 500), (1, -500), (i32::MIN, i64::MAX), (i32::MAX, i64::MIN)]
    {
        assert!(!spends(&order(quantity, price_minor, "USD")), "{quantity} × {price_minor}");
    }
}

#[test]
fn an_order_that_spends_nothing_passes() {
    let validation = pass(&order(-1, 500, "USD"), Timestamp(2000));
    assert_eq!((validation.order_id.as_str(), validation.check.as_str()), ("o-1", "fraud"));
    assert_eq!((validation.result, validation.reason, validation.checked_at), (Pass, None, Timestamp(2000)));
}

#[test]
fn sums_end_at_the_end_of_their_range() {
    for quantity in [1, i32::MAX] {
        assert_eq!(judged(0, &order(quantity, i64::MAX, "USD")), (Fail, i64::MAX));
        assert_eq!(judged(i64::MAX, &order(quantity, i64::MAX, "JPY")), (Fail, i64::MAX));
    }
    assert_eq!(judged(i64::MAX, &order(1, 1, "USD")), (Fail, i64::MAX));
    let mut session = Spending { total_minor: i64::MAX };
    merge(&mut session, Spending { total_minor: i64::MAX });
    assert_eq!(session.total_minor, i64::MAX);
}

#[test]
fn sessions_that_are_one_add_up() {
    let mut session = Spending { total_minor: 1 };
    merge(&mut session, Spending { total_minor: 2 });
    assert_eq!(session, Spending { total_minor: 3 });
}
