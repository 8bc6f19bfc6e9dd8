use streams::Timestamp;

use super::*;

const CHECK: &str = "order-details";

fn order(id: &str, version: i32, state: OrderState) -> Order {
    Order {
        id: id.to_string(),
        customer_id: 1,
        state,
        product: "JUMPERS".to_string(),
        quantity: 1,
        price_minor: 500,
        currency: "USD".to_string(),
        version,
        reasons: Vec::new(),
        created_at: Timestamp(1000),
        updated_at: Timestamp(1000),
    }
}

fn validation(id: &str, result: CheckResult) -> OrderValidation {
    OrderValidation {
        order_id: id.to_string(),
        check: CHECK.to_string(),
        result,
        reason: None,
        checked_at: Timestamp(1000),
    }
}

/// One order that passed, and one that failed.
fn log() -> Log {
    use OrderState::{Created, Failed, Validated};
    Log {
        requested: ["good".to_string(), "bad".to_string()].into(),
        orders: vec![
            order("good", 1, Created),
            order("bad", 1, Created),
            order("good", 2, Validated),
            order("bad", 2, Failed),
        ],
        validations: vec![validation("good", CheckResult::Pass), validation("bad", CheckResult::Fail)],
    }
}

/// What is found in the log once it is spoilt, if both orders were acknowledged.
fn found(spoil: impl FnOnce(&mut Log)) -> Vec<String> {
    let acknowledged = [("good".to_string(), OrderState::Validated), ("bad".to_string(), OrderState::Failed)].into();
    let mut log = log();
    spoil(&mut log);
    violations(&acknowledged, &[CHECK], &log)
}

#[test]
fn a_log_that_is_right_has_no_violation() {
    assert_eq!(found(|_| {}), [""; 0]);
}

#[test]
fn an_order_that_was_never_acknowledged_may_be_missing() {
    assert_eq!(violations(&BTreeMap::new(), &[CHECK], &Log::default()), [""; 0]);
    assert_eq!(violations(&BTreeMap::new(), &[CHECK], &log()), [""; 0]);
}

#[test]
fn an_order_that_was_never_acknowledged_is_held_to_the_same_if_it_exists() {
    let mut log = log();
    log.orders.pop();
    assert_eq!(
        violations(&BTreeMap::new(), &[CHECK], &log),
        ["bad has the versions [1]", "bad went through [Created]"]
    );
}

#[test]
fn an_acknowledged_order_that_is_lost_is_found() {
    let lost = found(|log| {
        log.requested.remove("good");
        log.orders.retain(|order| order.id != "good");
        log.validations.retain(|validation| validation.order_id != "good");
    });
    assert_eq!(lost, ["good was acknowledged, and is not in the journal", "good was acknowledged, and is lost"]);
}

#[test]
fn a_request_that_was_skipped_is_found() {
    let skipped = found(|log| log.requested.extend(["skipped".to_string()]));
    assert_eq!(skipped, ["skipped is in the journal, and was not created"]);
}

#[test]
fn an_order_that_nobody_asked_for_is_found() {
    let invented = found(|log| {
        log.orders.extend([order("new", 1, OrderState::Created), order("new", 2, OrderState::Validated)]);
        log.validations.push(validation("new", CheckResult::Pass));
    });
    assert_eq!(invented, ["new was never requested"]);
}

#[test]
fn an_order_without_a_verdict_is_found() {
    let undecided = found(|log| drop(log.orders.pop()));
    assert_eq!(
        undecided,
        ["bad was acknowledged, and got no verdict", "bad has the versions [1]", "bad went through [Created]"]
    );
}

#[test]
fn a_wrong_verdict_is_found() {
    let wrong = found(|log| log.orders[2].state = OrderState::Failed);
    assert_eq!(
        wrong,
        [
            "good deserved Validated, and is Failed",
            "good was given another verdict than the Validated its validations give"
        ]
    );
}

#[test]
fn a_verdict_that_is_repeated_or_revised_is_found() {
    let repeated = found(|log| log.orders.push(order("good", 2, OrderState::Validated)));
    assert_eq!(repeated, ["good has the versions [1, 2, 2]", "good went through [Created, Validated, Validated]"]);

    let revised = found(|log| log.orders.push(order("good", 3, OrderState::Failed)));
    assert_eq!(revised, ["good has the versions [1, 2, 3]", "good went through [Created, Validated, Failed]"]);
}

#[test]
fn a_gap_between_versions_is_found() {
    assert_eq!(found(|log| log.orders[2].version = 3), ["good has the versions [1, 3]"]);
}

#[test]
fn versions_in_the_wrong_sequence_are_found() {
    let swapped = found(|log| log.orders.swap(0, 2));
    assert!(swapped.contains(&"good has the versions [2, 1]".to_string()), "{swapped:?}");
}

#[test]
fn a_creation_that_is_repeated_is_found() {
    let twice = found(|log| log.orders.insert(0, order("good", 1, OrderState::Created)));
    assert!(twice.contains(&"good has the versions [1, 1, 2]".to_string()), "{twice:?}");
}

#[test]
fn an_order_that_changes_its_facts_is_found() {
    assert_eq!(found(|log| log.orders[2].quantity = 2), ["good is not the same order in all its versions"]);
}

#[test]
fn a_validation_that_is_repeated_or_missing_is_found() {
    let repeated = found(|log| log.validations.push(validation("good", CheckResult::Pass)));
    assert_eq!(repeated, ["good has 2 validations by order-details"]);

    let missing = found(|log| drop(log.validations.remove(0)));
    assert_eq!(missing, ["good has 0 validations by order-details"]);
}

#[test]
fn a_validation_of_nothing_is_found() {
    let unfounded = found(|log| log.validations.push(validation("nothing", CheckResult::Pass)));
    assert_eq!(unfounded, ["nothing was validated, and does not exist"]);
}
