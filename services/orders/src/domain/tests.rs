use super::*;

const AT: Timestamp = Timestamp(2000);

fn requested() -> OrderEvent {
    OrderEvent::Requested(OrderRequested {
        body: b"{}".to_vec(),
        order_id: "o-1".to_string(),
        customer_id: 7,
        product: "JUMPERS".to_string(),
        quantity: 3,
        price_minor: 500,
        currency: "USD".to_string(),
        requested_at: Timestamp(1000),
    })
}

fn judged(check: &str, result: CheckResult, reason: Option<&str>) -> OrderEvent {
    OrderEvent::Judged(OrderValidation {
        order_id: "o-1".to_string(),
        check: check.to_string(),
        result,
        reason: reason.map(str::to_string),
        checked_at: Timestamp(1500),
    })
}

fn passed(check: &str) -> OrderEvent {
    judged(check, CheckResult::Pass, None)
}

fn expired() -> OrderEvent {
    OrderEvent::Expired(OrderExpired { order_id: "o-1".to_string(), missing: vec!["b".to_string()], expired_at: AT })
}

/// Given these required checks, when these events come, then these versions follow.
fn versions(required: &[&str], events: &[OrderEvent]) -> Vec<Order> {
    let required: Vec<String> = required.iter().map(ToString::to_string).collect();
    let mut progress = OrderProgress::default();
    events.iter().flat_map(|event| fold(&mut progress, event, &required, AT)).collect()
}

fn states(required: &[&str], events: &[OrderEvent]) -> Vec<OrderState> {
    let versions = versions(required, events);
    assert!(versions.iter().enumerate().all(|(n, order)| order.version == i32::try_from(n).unwrap() + 1), "no gap");
    versions.iter().map(|order| order.state).collect()
}

use OrderState::{Created, Failed, Validated};

#[test]
fn a_request_creates_the_order_as_it_was_asked_for() {
    let order = &versions(&["a"], &[requested()])[0];
    assert_eq!((order.id.as_str(), order.customer_id, order.product.as_str()), ("o-1", 7, "JUMPERS"));
    assert_eq!((order.quantity, order.price_minor, order.currency.as_str()), (3, 500, "USD"));
    assert_eq!((order.state, order.version, order.created_at), (Created, 1, Timestamp(1000)));
}

#[test]
fn an_order_is_validated_when_every_required_check_has_passed() {
    assert_eq!(states(&["a", "b"], &[requested(), passed("a")]), [Created]);
    assert_eq!(states(&["a", "b"], &[requested(), passed("a"), passed("b")]), [Created, Validated]);
}

#[test]
fn one_check_that_passes_twice_does_not_stand_for_two() {
    assert_eq!(states(&["a", "b"], &[requested(), passed("a"), passed("a")]), [Created]);
}

#[test]
fn a_check_that_is_not_required_does_not_help() {
    assert_eq!(states(&["a"], &[requested(), passed("z")]), [Created]);
}

#[test]
fn an_order_fails_at_the_first_fail_with_its_reason() {
    let failed = judged("b", CheckResult::Fail, Some("too many"));
    let versions = versions(&["a", "b"], &[requested(), failed, judged("a", CheckResult::Fail, Some("late"))]);
    assert_eq!(versions.iter().map(|order| order.state).collect::<Vec<_>>(), [Created, Failed]);
    assert_eq!(versions[1].reasons, ["b: too many"]);
    assert_eq!(versions[1].updated_at, AT);
}

#[test]
fn an_error_counts_as_a_fail() {
    let versions = versions(&["a"], &[requested(), judged("a", CheckResult::Error, None)]);
    assert_eq!((versions[1].state, versions[1].reasons.as_slice()), (Failed, &["a: no reason given".to_string()][..]));
}

#[test]
fn repetitions_change_nothing() {
    let events = [requested(), requested(), passed("a"), requested(), passed("a"), passed("a")];
    assert_eq!(states(&["a"], &events), [Created, Validated]);
}

#[test]
fn a_second_request_under_the_same_id_does_not_change_the_order() {
    let OrderEvent::Requested(mut other) = requested() else { unreachable!() };
    other.quantity = 99;
    assert_eq!(versions(&["a"], &[requested(), OrderEvent::Requested(other)]).len(), 1);
}

#[test]
fn an_order_that_lacks_only_checks_that_were_taken_away_is_validated_when_its_time_is_up() {
    let mut progress = OrderProgress::default();
    let both = ["a".to_string(), "b".to_string()];
    let mut hear = |event, required| fold(&mut progress, &event, required, AT);
    assert_eq!(hear(requested(), &both).len() + hear(passed("a"), &both).len(), 1);
    let [validated] = &hear(expired(), &both[..1])[..] else { panic!("it is decided") };
    assert_eq!((validated.state, &validated.reasons[..]), (Validated, &[][..]));
}

#[test]
fn a_verdict_is_never_revised() {
    let fail = || judged("a", CheckResult::Fail, Some("no"));
    assert_eq!(states(&["a"], &[requested(), passed("a"), fail(), expired()]), [Created, Validated]);
    assert_eq!(states(&["a"], &[requested(), fail(), passed("a"), expired()]), [Created, Failed]);
    assert_eq!(states(&["a"], &[requested(), expired(), passed("a"), fail()]), [Created, Failed]);
}

#[test]
fn verdicts_that_are_read_before_the_request_count_as_well() {
    assert_eq!(states(&["a", "b"], &[passed("b"), passed("a"), requested()]), [Created, Validated]);
    assert_eq!(states(&["a"], &[judged("a", CheckResult::Fail, None), requested()]), [Created, Failed]);
}

#[test]
fn without_required_checks_every_order_is_validated_at_once() {
    assert_eq!(states(&[], &[requested()]), [Created, Validated]);
}

#[test]
fn an_expired_order_fails_naming_the_checks_that_are_missing() {
    let required = ["a".to_string(), "b".to_string()];
    let mut progress = OrderProgress::default();
    fold(&mut progress, &requested(), &required, AT);
    fold(&mut progress, &passed("a"), &required, AT);
    assert_eq!(undecided_since(&progress), Some(Timestamp(1000)));
    let expired = expire("o-1", &progress, &required, Timestamp(9000));
    assert_eq!((expired.missing.as_slice(), expired.expired_at), (&["b".to_string()][..], Timestamp(9000)));
    let versions = fold(&mut progress, &OrderEvent::Expired(expired), &required, AT);
    assert_eq!((versions[0].state, versions[0].reasons[0].as_str()), (Failed, "no verdict in time from b"));
    assert_eq!(undecided_since(&progress), None);
}
