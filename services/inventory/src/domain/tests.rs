use shared_schemas::{CheckResult, StockMovementKind};

use super::*;

const AT: Timestamp = Timestamp(2000);

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

fn created(quantity: i32) -> Order {
    order("o-1", Created, quantity)
}

fn level(on_hand: i64, reserved: i64) -> StockLevel {
    StockLevel { product: "JUMPERS".to_string(), on_hand, reserved, version: 7, updated_at: Timestamp(1000) }
}

fn reservation(state: ReservationState, quantity: i64) -> Reservation {
    Reservation { state, quantity, since: Timestamp(1500) }
}

fn moved(quantity: i64) -> StockMoved {
    StockMoved {
        id: "m-1".to_string(),
        product: "JUMPERS".to_string(),
        quantity,
        kind: StockMovementKind::Received,
        occurred_at: Timestamp(1000),
    }
}

/// On hand and reserved, if the level changed; each change is a version of its own, at the time of what led to it.
fn numbers(level: Option<StockLevel>) -> Option<(i64, i64)> {
    let level = level?;
    assert_eq!((level.product.as_str(), level.version, level.updated_at), ("JUMPERS", 8, AT));
    Some((level.on_hand, level.reserved))
}

fn reason(decision: &Decision) -> &str {
    let validation = decision.validation.as_ref().expect("a verdict");
    assert_eq!(validation.result, CheckResult::Fail);
    validation.reason.as_deref().expect("a reason")
}

use OrderState::{Cancelled, Created, Failed, Paid, Shipped, Unknown, Validated};
use ReservationState::{Held, Over, Overtaken};

#[test]
fn an_order_passes_and_reserves_what_it_asks_for_if_there_is_enough() {
    let decision = hear(Some(level(75, 10)), None, &created(3), AT);
    let pass = OrderValidation {
        order_id: "o-1".to_string(),
        check: "inventory".to_string(),
        result: CheckResult::Pass,
        reason: None,
        checked_at: AT,
    };
    assert_eq!(decision.validation, Some(pass));
    assert_eq!(decision.reservation, Some(Reservation { state: Held, quantity: 3, since: AT }));
    assert_eq!(numbers(decision.level), Some((75, 13)));
}

#[test]
fn the_last_piece_can_be_had_and_one_more_cannot() {
    assert_eq!(numbers(hear(Some(level(10, 7)), None, &created(3), AT).level), Some((10, 10)));
    let decision = hear(Some(level(10, 7)), None, &created(4), AT);
    assert_eq!(reason(&decision), "4 asked for, 3 available");
    assert_eq!(decision.reservation, Some(Reservation { state: Over, quantity: 0, since: AT }));
    assert_eq!(decision.level, None);
}

#[test]
fn a_product_that_nobody_stocks_fails_and_gets_no_level() {
    let decision = hear(None, None, &created(1), AT);
    assert_eq!(reason(&decision), "1 asked for, 0 available");
    assert_eq!(decision.level, None);
}

#[test]
fn a_quantity_of_nothing_or_less_reserves_nothing_and_fails() {
    for quantity in [0, -1, i32::MIN] {
        for stock in [None, Some(level(10, 0))] {
            let decision = hear(stock, None, &created(quantity), AT);
            assert_eq!(reason(&decision), format!("the quantity must be above 0, not {quantity}"));
            assert_eq!((decision.level, decision.reservation.unwrap().state), (None, Over));
        }
    }
}

#[test]
fn where_more_is_promised_than_there_is_nothing_is_available() {
    assert_eq!(reason(&hear(Some(level(5, 8)), None, &created(1), AT)), "1 asked for, -3 available");
    assert_eq!(reason(&hear(Some(level(-5, 0)), None, &created(1), AT)), "1 asked for, -5 available");
}

#[test]
fn an_order_that_fails_or_is_cancelled_releases_what_it_holds() {
    for state in [Failed, Cancelled] {
        let decision = hear(Some(level(10, 7)), Some(&reservation(Held, 3)), &order("o-1", state, 3), AT);
        assert_eq!(decision.reservation, Some(Reservation { state: Over, quantity: 0, since: AT }));
        assert_eq!(decision.validation, None);
        assert_eq!(numbers(decision.level), Some((10, 4)));
    }
}

#[test]
fn what_was_reserved_is_released_whatever_the_order_says_its_quantity_is() {
    let decision = hear(Some(level(10, 7)), Some(&reservation(Held, 3)), &order("o-1", Failed, 99), AT);
    assert_eq!(numbers(decision.level), Some((10, 4)));
}

#[test]
fn an_order_that_ships_takes_its_pieces_out_of_the_warehouse_and_out_of_what_is_reserved() {
    let decision = hear(Some(level(10, 7)), Some(&reservation(Held, 3)), &order("o-1", Shipped, 3), AT);
    assert_eq!(decision.reservation, Some(Reservation { state: Over, quantity: 0, since: AT }));
    assert_eq!(decision.validation, None);
    assert_eq!(numbers(decision.level), Some((7, 4)));
}

#[test]
fn an_order_that_is_over_changes_nothing_whatever_is_heard_of_it_again() {
    for state in [Created, Failed, Cancelled, Shipped] {
        let decision = hear(Some(level(10, 7)), Some(&reservation(Over, 0)), &order("o-1", state, 3), AT);
        assert_eq!(decision, Decision::default(), "{state:?}");
    }
}

#[test]
fn an_order_that_is_created_again_is_not_judged_again() {
    let decision = hear(Some(level(10, 7)), Some(&reservation(Held, 3)), &created(3), AT);
    assert_eq!(decision, Decision::default());
}

#[test]
fn an_end_that_is_heard_of_before_the_creation_leaves_a_marker_and_the_level_as_it_is() {
    for state in [Failed, Cancelled, Shipped] {
        let decision = hear(Some(level(10, 7)), None, &order("o-1", state, 3), AT);
        let marker = Reservation { state: Overtaken, quantity: 0, since: AT };
        assert_eq!(decision, Decision { reservation: Some(marker.clone()), ..Decision::default() });
        let again = hear(Some(level(10, 7)), Some(&marker), &order("o-1", state, 3), AT);
        assert_eq!(again, Decision::default(), "{state:?}");
    }
}

#[test]
fn an_order_that_ended_before_its_creation_was_heard_of_gets_its_verdict_once_and_no_stock() {
    let decision = hear(Some(level(10, 7)), Some(&reservation(Overtaken, 0)), &created(3), AT);
    assert_eq!(reason(&decision), "the order had ended before its creation was heard of");
    assert_eq!(decision.level, None);
    let again = hear(Some(level(10, 7)), decision.reservation.as_ref(), &created(3), AT);
    assert_eq!(again, Decision::default());
}

#[test]
fn states_that_do_not_concern_the_stock_change_nothing() {
    for state in [Validated, Paid, Unknown] {
        assert!(!concerns_stock(state), "{state:?}");
        for known in [None, Some(reservation(Held, 3)), Some(reservation(Over, 0)), Some(reservation(Overtaken, 0))] {
            let decision = hear(Some(level(10, 7)), known.as_ref(), &order("o-1", state, 3), AT);
            assert_eq!(decision, Decision::default(), "{state:?} {known:?}");
        }
    }
    assert!([Created, Failed, Cancelled, Shipped].into_iter().all(concerns_stock));
}

#[test]
fn what_ends_while_its_level_is_missing_is_over_all_the_same() {
    for state in [Failed, Shipped] {
        let decision = hear(None, Some(&reservation(Held, 3)), &order("o-1", state, 3), AT);
        assert_eq!((decision.level, decision.reservation.unwrap().state), (None, Over));
    }
}

#[test]
fn a_movement_counts_with_its_sign_whatever_its_kind() {
    for kind in [StockMovementKind::Received, StockMovementKind::Corrected, StockMovementKind::Shipped] {
        for (quantity, on_hand) in [(5, 15), (-3, 7), (-11, -1)] {
            let level = count(Some(level(10, 7)), &StockMoved { kind, ..moved(quantity) }, AT);
            assert_eq!(numbers(level), Some((on_hand, 7)));
        }
    }
}

#[test]
fn the_first_movement_makes_the_first_version_of_a_level() {
    let first = count(None, &moved(5), AT);
    let expected = StockLevel { product: "JUMPERS".to_string(), on_hand: 5, reserved: 0, version: 1, updated_at: AT };
    assert_eq!(first, Some(expected));
}

#[test]
fn a_movement_of_nothing_is_no_change() {
    assert_eq!(count(Some(level(10, 7)), &moved(0), AT), None);
    assert_eq!(count(None, &moved(0), AT), None);
}

#[test]
fn absurd_numbers_stay_at_the_end_of_the_numbers() {
    assert_eq!(numbers(count(Some(level(10, 0)), &moved(i64::MAX), AT)), Some((i64::MAX, 0)));
    assert_eq!(numbers(count(Some(level(-10, 0)), &moved(i64::MIN), AT)), Some((i64::MIN, 0)));
    assert_eq!(count(Some(level(i64::MAX, 0)), &moved(1), AT), None, "nothing changes at the end");

    let everything = hear(Some(level(i64::MAX, i64::MAX - 1)), None, &created(1), AT);
    assert_eq!(numbers(everything.level), Some((i64::MAX, i64::MAX)));
    let one_too_many = hear(Some(level(i64::MAX, i64::MAX)), None, &created(1), AT);
    assert_eq!(reason(&one_too_many), "1 asked for, 0 available");
    let below_everything = hear(Some(level(i64::MIN, i64::MAX)), None, &created(i32::MAX), AT);
    assert_eq!(reason(&below_everything), format!("{} asked for, {} available", i32::MAX, i64::MIN));
    let shipped = hear(Some(level(i64::MIN, 3)), Some(&reservation(Held, 3)), &order("o-1", Shipped, 3), AT);
    assert_eq!(numbers(shipped.level), Some((i64::MIN, 0)));

    let last_version = StockLevel { version: i32::MAX, ..level(10, 0) };
    assert_eq!(count(Some(last_version), &moved(1), AT).unwrap().version, i32::MAX);
}

#[test]
fn only_what_holds_nothing_waits_to_be_forgotten() {
    assert_eq!(ended_since(&reservation(Held, 3)), None);
    assert_eq!(ended_since(&reservation(Over, 0)), Some(Timestamp(1500)));
    assert_eq!(ended_since(&reservation(Overtaken, 0)), Some(Timestamp(1500)));
}

#[test]
fn the_stock_of_the_book_is_promised_first_come_first_served() {
    let underpants = hear(Some(level(75, 0)), None, &created(3), AT);
    assert_eq!(numbers(underpants.level), Some((75, 3)));
    let first = hear(Some(level(1, 0)), None, &order("o-2", Created, 1), AT);
    let second = hear(first.level.clone(), None, &order("o-3", Created, 1), AT);
    assert_eq!(numbers(first.level), Some((1, 1)));
    assert_eq!((reason(&second), &second.level), ("1 asked for, 0 available", &None));
}
