use shared_schemas::StockMovementKind;
use streams::Timestamp;

use super::*;

const AT: Timestamp = Timestamp(1000);

fn order(id: &str, state: OrderState, quantity: i32, price_minor: i64) -> Order {
    Order {
        id: id.to_string(),
        customer_id: 1,
        state,
        product: "hats".to_string(),
        quantity,
        price_minor,
        currency: "USD".to_string(),
        version: if state == OrderState::Created { 1 } else { 2 },
        reasons: Vec::new(),
        created_at: AT,
        updated_at: AT,
    }
}

fn validation(id: &str, check: &str, result: CheckResult) -> OrderValidation {
    OrderValidation { order_id: id.to_string(), check: check.to_string(), result, reason: None, checked_at: AT }
}

fn level(on_hand: i64, reserved: i64) -> StockLevel {
    StockLevel { product: "hats".to_string(), on_hand, reserved, version: 9, updated_at: AT }
}

/// Five hats. One order of three; another of three, for which there are not enough; one of two that costs too much, so that
/// its hats are free again for the last.
fn history() -> (Heard, Log, Vec<StockLevel>) {
    use CheckResult::{Fail, Pass};
    use OrderState::{Created, Failed, Validated};
    let orders =
        [("a", 3, 1_000, Validated), ("b", 3, 1_000, Failed), ("c", 2, 190_000, Failed), ("d", 2, 0, Validated)];
    let versions = |(id, quantity, price, end)| [order(id, Created, quantity, price), order(id, end, quantity, price)];
    let all: Vec<Order> = orders.into_iter().flat_map(versions).collect();
    let results = [("a", Pass, Pass), ("b", Pass, Fail), ("c", Fail, Pass), ("d", Pass, Pass)];
    let validations = results.into_iter().flat_map(|(id, fraud, inventory)| {
        [("order-details", Pass), ("fraud", fraud), ("inventory", inventory)]
            .map(|(check, result)| validation(id, check, result))
    });
    let movement = StockMoved {
        id: "delivery".to_string(),
        product: "hats".to_string(),
        quantity: 5,
        kind: StockMovementKind::Received,
        occurred_at: AT,
    };
    let heard = Heard {
        by_fraud: all.iter().filter(|order| order.version == 1 && order.price_minor > 0).cloned().collect(),
        by_inventory: all.iter().filter(|order| order.state != Validated).cloned().collect(),
        movements: vec![movement],
    };
    let log = Log {
        requested: all.iter().map(|order| order.id.clone()).collect(),
        orders: all,
        validations: validations.collect(),
    };
    (heard, log, vec![level(5, 0), level(5, 3), level(5, 5)])
}

#[test]
fn what_follows_is_no_disagreement() {
    let (heard, log, levels) = history();
    assert_eq!(disagreements(&heard, &log, &levels), [""; 0]);
}

#[test]
fn a_verdict_that_does_not_follow_is_found() {
    let (heard, mut log, levels) = history();
    log.validations[1].result = CheckResult::Fail;
    assert_eq!(disagreements(&heard, &log, &levels), ["a was given [Fail] by fraud, and passes: true"]);
    let (_, mut log, _) = history();
    log.validations.remove(1);
    assert_eq!(disagreements(&heard, &log, &levels), ["a was given [] by fraud, and passes: true"]);
    let (_, mut log, _) = history();
    log.orders[7].state = OrderState::Failed;
    let found = disagreements(&heard, &log, &levels);
    assert_eq!(found[0], "d is Failed, and Validated follows from its checks");
    assert!(found[1].starts_with("3 hats are promised"), "{found:?}");
}

#[test]
fn a_reservation_that_leaks_or_was_never_made_is_found() {
    for reserved in [4, 7] {
        let (heard, log, _) = history();
        let found = disagreements(&heard, &log, &[level(5, reserved)]);
        assert_eq!(found[0], format!("of hats there are Some((5, {reserved})), and Some((5, 5)) follow"));
        assert!(found[1].starts_with("5 hats are promised"), "{found:?}");
    }
}

#[test]
fn an_order_that_no_check_has_heard_of_is_found() {
    let (mut heard, log, levels) = history();
    heard.by_fraud.remove(0);
    heard.by_inventory.retain(|order| order.id != "d");
    let found = disagreements(&heard, &log, &levels);
    assert!(found.contains(&"a never came to fraud".to_string()), "{found:?}");
    assert!(found.contains(&"d never came to inventory".to_string()), "{found:?}");
}

#[test]
fn more_than_is_there_is_never_promised() {
    let (mut heard, log, _) = history();
    heard.movements.clear();
    let found = disagreements(&heard, &log, &[level(0, 5)]);
    assert!(found.iter().any(|what| what.contains("level is")), "{found:?}");
}
