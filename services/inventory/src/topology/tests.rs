use std::time::Duration;

use shared_schemas::{CheckResult, Order, OrderState, OrderValidation, StockLevel, StockMoved, StockMovementKind};
use streams::{Refusal, TestDriver, Timestamp, Topic};

use super::*;
use crate::domain::ReservationState;

mod histories;

const KEPT: Duration = Duration::from_secs(10);
const BY_PRODUCT: Topic<Order> =
    Topic::new("inventory-by-product-repartition", "inventory", |order| order.product.clone());

fn driver() -> TestDriver {
    TestDriver::new(topology(&Options { ended_orders_kept: KEPT })).unwrap()
}

fn order(id: &str, state: OrderState, product: &str, quantity: i32) -> Order {
    Order {
        id: id.to_string(),
        customer_id: 1,
        state,
        product: product.to_string(),
        quantity,
        price_minor: 500,
        currency: "USD".to_string(),
        version: 1,
        reasons: Vec::new(),
        created_at: Timestamp(1000),
        updated_at: Timestamp(1000),
    }
}

fn movement(id: &str, product: &str, quantity: i64) -> StockMoved {
    StockMoved {
        id: id.to_string(),
        product: product.to_string(),
        quantity,
        kind: StockMovementKind::Received,
        occurred_at: Timestamp(1000),
    }
}

/// Order ids and results of the verdicts since the last call.
fn verdicts(driver: &mut TestDriver) -> Vec<(String, CheckResult)> {
    validations(driver).into_iter().map(|validation| (validation.order_id, validation.result)).collect()
}

fn validations(driver: &mut TestDriver) -> Vec<OrderValidation> {
    driver.read(&order_validations(domain::CHECK))
}

fn passed(id: &str) -> (String, CheckResult) {
    (id.to_string(), CheckResult::Pass)
}

fn failed(id: &str) -> (String, CheckResult) {
    (id.to_string(), CheckResult::Fail)
}

/// On hand, reserved and version of the levels published since the last call.
fn published(driver: &mut TestDriver) -> Vec<(i64, i64, i32)> {
    driver.read(&WAREHOUSE_INVENTORY).iter().map(|level| (level.on_hand, level.reserved, level.version)).collect()
}

fn level(driver: &TestDriver, product: &str) -> Option<StockLevel> {
    driver.stored(&Store::published(&WAREHOUSE_INVENTORY), product)
}

fn state(driver: &TestDriver, order_id: &str) -> Option<ReservationState> {
    driver.stored(&RESERVATIONS, order_id).map(|reservation| reservation.state)
}

use OrderState::{Cancelled, Created, Failed, Paid, Shipped, Unknown, Validated};

#[test]
fn the_stock_of_the_book_is_promised_first_come_first_served() {
    let mut driver = driver();
    driver.pipe(&STOCK_MOVEMENTS, &movement("m-1", "UNDERPANTS", 75));
    driver.pipe(&STOCK_MOVEMENTS, &movement("m-2", "JUMPERS", 1));
    driver.pipe(&ORDERS, &order("o-1", Created, "UNDERPANTS", 3));
    driver.pipe(&ORDERS, &order("o-2", Created, "JUMPERS", 1));
    driver.pipe(&ORDERS, &order("o-3", Created, "JUMPERS", 1));
    assert_eq!(verdicts(&mut driver), [passed("o-1"), passed("o-2"), failed("o-3")]);
    assert_eq!(level(&driver, "UNDERPANTS").map(|level| (level.on_hand, level.reserved)), Some((75, 3)));
    assert_eq!(level(&driver, "JUMPERS").map(|level| (level.on_hand, level.reserved)), Some((1, 1)));
}

#[test]
fn every_change_of_a_level_is_published_whole_with_the_next_version() {
    let mut driver = driver();
    driver.pipe(&STOCK_MOVEMENTS, &movement("m-1", "JUMPERS", 10));
    driver.pipe(&ORDERS, &order("o-1", Created, "JUMPERS", 3));
    driver.pipe(&ORDERS, &order("o-2", Created, "JUMPERS", 4));
    driver.pipe(&ORDERS, &order("o-3", Created, "JUMPERS", 4));
    driver.pipe(&ORDERS, &order("o-1", Failed, "JUMPERS", 3));
    driver.pipe(&ORDERS, &order("o-2", Shipped, "JUMPERS", 4));
    driver.pipe(&STOCK_MOVEMENTS, &movement("m-2", "JUMPERS", -1));
    let expected = [(10, 0, 1), (10, 3, 2), (10, 7, 3), (10, 4, 4), (6, 0, 5), (5, 0, 6)];
    assert_eq!(published(&mut driver), expected);
    assert_eq!(verdicts(&mut driver), [passed("o-1"), passed("o-2"), failed("o-3")]);
}

#[test]
fn verdicts_and_levels_bear_the_time_of_the_event_and_not_that_of_a_clock() {
    let mut driver = driver();
    driver.pipe_at(&STOCK_MOVEMENTS, Timestamp(5000), &movement("m-1", "JUMPERS", 10));
    assert_eq!(level(&driver, "JUMPERS").unwrap().updated_at, Timestamp(5000));
    driver.pipe_at(&ORDERS, Timestamp(7000), &order("o-1", Created, "JUMPERS", 3));
    assert_eq!(level(&driver, "JUMPERS").unwrap().updated_at, Timestamp(7000));
    assert_eq!(validations(&mut driver)[0].checked_at, Timestamp(7000));
}

#[test]
fn a_movement_that_is_repeated_counts_once_whatever_it_says() {
    let mut driver = driver();
    driver.pipe(&STOCK_MOVEMENTS, &movement("m-1", "JUMPERS", 10));
    driver.pipe(&STOCK_MOVEMENTS, &movement("m-1", "JUMPERS", 10));
    driver.pipe(&STOCK_MOVEMENTS, &movement("m-1", "JUMPERS", 999));
    driver.pipe(&STOCK_MOVEMENTS, &movement("m-2", "JUMPERS", 10));
    assert_eq!(published(&mut driver), [(10, 0, 1), (20, 0, 2)]);
}

#[test]
fn a_movement_under_the_key_of_another_product_is_put_aside_and_counts_for_none() {
    let mut driver = driver();
    driver.pipe(&STOCK_MOVEMENTS, &movement("m-1", "JUMPERS", 10));
    let wrong: Topic<StockMoved> = Topic::new("stock-movements", "warehouse", |_| "JUMPERS".to_string());
    driver.pipe(&wrong, &movement("m-2", "UNDERPANTS", 5));
    let dead = driver.dead_letters();
    assert!(matches!(&dead[..], [letter] if matches!(letter.cause, Refusal::WrongKey { .. })), "{dead:?}");
    assert_eq!(published(&mut driver), [(10, 0, 1)]);
    driver.pipe(&STOCK_MOVEMENTS, &movement("m-2", "JUMPERS", 5));
    assert_eq!(published(&mut driver), [(15, 0, 2)], "the id was not used up");
}

#[test]
fn an_absurd_movement_is_counted_and_stops_nothing() {
    let mut driver = driver();
    for (id, quantity) in [("m-1", i64::MAX), ("m-2", i64::MAX), ("m-3", i64::MIN), ("m-4", i64::MIN)] {
        driver.pipe(&STOCK_MOVEMENTS, &movement(id, "JUMPERS", quantity));
    }
    driver.pipe(&ORDERS, &order("o-1", Created, "JUMPERS", i32::MAX));
    assert_eq!(published(&mut driver), [(i64::MAX, 0, 1), (-1, 0, 2), (i64::MIN, 0, 3)]);
    assert_eq!(verdicts(&mut driver), [failed("o-1")]);
    assert!(driver.dead_letters().is_empty());
}

#[test]
fn a_product_that_nobody_stocks_fails_also_one_without_a_name() {
    let mut driver = driver();
    driver.pipe(&ORDERS, &order("o-1", Created, "STOCKINGS", 1));
    driver.pipe(&ORDERS, &order("o-2", Created, "", 1));
    assert_eq!(verdicts(&mut driver), [failed("o-1"), failed("o-2")]);
    assert!(published(&mut driver).is_empty());
}

#[test]
fn what_is_released_goes_to_the_next_order() {
    for end in [Failed, Cancelled] {
        let mut driver = driver();
        driver.pipe(&STOCK_MOVEMENTS, &movement("m-1", "JUMPERS", 1));
        driver.pipe(&ORDERS, &order("o-1", Created, "JUMPERS", 1));
        driver.pipe(&ORDERS, &order("o-2", Created, "JUMPERS", 1));
        driver.pipe(&ORDERS, &order("o-1", end, "JUMPERS", 1));
        driver.pipe(&ORDERS, &order("o-1", end, "JUMPERS", 1));
        driver.pipe(&ORDERS, &order("o-3", Created, "JUMPERS", 1));
        driver.pipe(&ORDERS, &order("o-4", Created, "JUMPERS", 1));
        let expected = [passed("o-1"), failed("o-2"), passed("o-3"), failed("o-4")];
        assert_eq!(verdicts(&mut driver), expected, "{end:?}");
    }
}

#[test]
fn an_order_that_ended_first_gets_a_verdict_but_no_stock() {
    let mut driver = driver();
    driver.pipe(&STOCK_MOVEMENTS, &movement("m-1", "JUMPERS", 1));
    driver.pipe(&ORDERS, &order("o-1", Failed, "JUMPERS", 1));
    assert!(verdicts(&mut driver).is_empty());
    driver.pipe(&ORDERS, &order("o-1", Created, "JUMPERS", 1));
    driver.pipe(&ORDERS, &order("o-1", Created, "JUMPERS", 1));
    assert_eq!(verdicts(&mut driver), [failed("o-1")]);
    assert_eq!(published(&mut driver), [(1, 0, 1)]);
}

#[test]
fn only_what_concerns_the_stock_travels_to_its_product() {
    let mut driver = driver();
    for state in [Created, Validated, Paid, Unknown, Shipped, Failed, Cancelled] {
        driver.pipe(&ORDERS, &order("o-1", state, "JUMPERS", 1));
    }
    let travelled: Vec<_> = driver.read(&BY_PRODUCT).into_iter().map(|order| order.state).collect();
    assert_eq!(travelled, [Created, Shipped, Failed, Cancelled]);
}

#[test]
fn an_order_that_has_ended_is_forgotten_after_its_time_and_one_that_holds_stock_never_is() {
    let mut driver = driver();
    let end = Timestamp(20_000);
    driver.advance(Duration::from_secs(600));
    driver.pipe_at(&STOCK_MOVEMENTS, Timestamp(1000), &movement("m-1", "JUMPERS", 10));
    for id in ["held", "released"] {
        driver.pipe_at(&ORDERS, Timestamp(1000), &order(id, Created, "JUMPERS", 1));
    }
    driver.pipe_at(&ORDERS, end, &order("released", Failed, "JUMPERS", 1));
    driver.pipe_at(&ORDERS, end, &order("refused", Created, "JUMPERS", 100));
    driver.pipe_at(&ORDERS, end, &order("overtaken", Failed, "JUMPERS", 1));
    assert_eq!(verdicts(&mut driver), [passed("held"), passed("released"), failed("refused")]);

    let nearly = Timestamp(end.as_millis() + 9_999);
    driver.pipe_at(&ORDERS, nearly, &order("overtaken", Failed, "JUMPERS", 1));
    driver.pipe_at(&ORDERS, nearly, &order("released", Created, "JUMPERS", 1));
    for (id, expected) in [
        ("released", ReservationState::Over),
        ("refused", ReservationState::Over),
        ("overtaken", ReservationState::Overtaken),
    ] {
        assert_eq!(state(&driver, id), Some(expected), "{id}");
    }

    driver.pipe_at(&STOCK_MOVEMENTS, end + KEPT, &movement("m-2", "JUMPERS", 1));
    assert_eq!(["released", "refused", "overtaken"].map(|id| state(&driver, id)), [None; 3]);
    driver.pipe_at(&ORDERS, Timestamp(500_000), &order("held", Created, "JUMPERS", 1));
    assert_eq!(state(&driver, "held"), Some(ReservationState::Held));
    assert!(verdicts(&mut driver).is_empty(), "nothing was judged twice");
}

#[test]
fn what_cannot_be_read_is_put_aside_and_what_is_behind_it_is_judged() {
    let mut driver = driver();
    for topic in [ORDERS.name(), STOCK_MOVEMENTS.name()] {
        driver.pipe_raw(topic, Some(b"JUMPERS"), Some(b"not Avro"), Timestamp(1000));
        driver.pipe_raw(topic, Some(b"JUMPERS"), None, Timestamp(1000));
        driver.pipe_raw(topic, None, None, Timestamp(1000));
    }
    assert_eq!(driver.dead_letters().len(), 6);
    driver.pipe(&ORDERS, &order("o-1", Created, "JUMPERS", 1));
    assert_eq!(verdicts(&mut driver), [failed("o-1")]);
}
