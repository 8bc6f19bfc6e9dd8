#![expect(clippy::disallowed_methods, reason = "readings are told by the clock")]

use std::time::Duration;

use streams::Timestamp;

use super::*;

fn order(version: i32) -> Order {
    Order {
        id: "order".to_string(),
        customer_id: 1,
        state: if version == 1 { OrderState::Created } else { OrderState::Validated },
        product: "JUMPERS".to_string(),
        quantity: 1,
        price_minor: 500,
        currency: "USD".to_string(),
        version,
        reasons: Vec::new(),
        created_at: Timestamp(1000),
        updated_at: Timestamp(version.into()),
    }
}

fn document(version: i32) -> OrderDocument {
    OrderDocument {
        id: "order".to_string(),
        customer_id: 1,
        state: if version == 1 { "CREATED" } else { "VALIDATED" }.to_string(),
        product: "JUMPERS".to_string(),
        quantity: 1,
        price: 5.into(),
        version,
        reasons: Vec::new(),
        updated_at: format!("1970-01-01T00:00:00.00{version}Z"),
    }
}

fn version(version: i32) -> Shown {
    Shown::Order(Box::new(document(version)))
}

/// What is wrong with readings asked and answered at these seconds, if the order has two versions.
fn found<const N: usize>(readings: [(u64, u64, Shown); N]) -> Vec<String> {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let reading = |(asked, answered, shown)| Reading {
        id: "order".into(),
        asked_at: at(asked),
        answered_at: at(answered),
        shown,
    };
    wrong_answers(&readings.map(reading), &[order(1), order(2)])
}

#[test]
fn readings_that_follow_the_log_are_right() {
    let readings =
        [(0, 1, Shown::NoOrder), (2, 3, version(1)), (4, 5, Shown::NoVerdict), (6, 7, version(2)), (8, 9, version(2))];
    assert_eq!(found(readings), [""; 0]);
}

#[test]
fn questions_that_overlap_may_be_answered_in_any_sequence() {
    assert_eq!(found([(0, 2, version(2)), (1, 3, version(1)), (2, 9, Shown::NoOrder)]), [""; 0]);
}

#[test]
fn an_answer_from_the_past_is_found() {
    let wrong = found([(0, 1, version(2)), (2, 3, version(1))]);
    assert!(wrong.len() == 1 && wrong[0].starts_with("order had version 2, and a later question"), "{wrong:?}");
    assert_eq!(found([(0, 1, version(1)), (2, 3, Shown::NoOrder)]).len(), 1, "an order that was there is not gone");
    assert_eq!(found([(0, 1, version(2)), (2, 3, Shown::NoVerdict)]).len(), 1, "nor is a verdict");
    assert_eq!(found([(0, 9, version(1)), (0, 1, version(2)), (2, 3, version(1))]).len(), 1, "by whomever it was seen");
}

#[test]
fn an_order_shown_as_it_never_was_is_found() {
    assert_eq!(found([(0, 1, version(3))]), ["order was shown in version 3, which was never written"]);

    let aborted = OrderDocument { updated_at: "1970-01-01T00:00:00.007Z".to_string(), ..document(2) };
    let wrong = found([(0, 1, Shown::Order(Box::new(aborted)))]);
    assert!(wrong.len() == 1 && wrong[0].starts_with("order was shown as"), "{wrong:?}");
}
