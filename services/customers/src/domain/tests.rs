use shared_schemas::CustomerLevel;

use super::*;

const LONGEST_WAIT: Duration = Duration::from_secs(60);

fn request(expected_version: Option<i32>) -> CustomerRequested {
    CustomerRequested {
        body: Vec::new(),
        id: 7,
        request_id: "a".to_string(),
        expected_version,
        first_name: "Ada".to_string(),
        last_name: "Miller".to_string(),
        email: "ada@example.com".to_string(),
        address: "1 Mill Lane".to_string(),
        level: CustomerLevel::Gold,
        requested_at: Timestamp(100_000),
    }
}

fn customer(version: i32) -> Customer {
    requested(&request(None), version)
}

fn decision(request_id: &str, at_ms: i64) -> Decision {
    Decision { request_id: request_id.to_string(), is_accepted: true, version: 1, requested_at: Timestamp(at_ms) }
}

#[test]
fn a_customer_is_created_where_there_is_none() {
    assert_eq!(change(None, &request(Some(0))), Some(customer(1)));
    assert_eq!(change(Some(&customer(1)), &request(Some(0))), None);
}

#[test]
fn a_customer_is_changed_from_the_version_that_was_seen() {
    assert_eq!(change(Some(&customer(3)), &request(Some(3))), Some(customer(4)));
    for not_current in [Some(2), Some(4), Some(-1), Some(i32::MAX)] {
        assert_eq!(change(Some(&customer(3)), &request(not_current)), None, "{not_current:?}");
        assert_eq!(change(None, &request(not_current)), None, "{not_current:?}");
    }
}

#[test]
fn a_customer_can_be_changed_whatever_its_version_if_there_is_one() {
    assert_eq!(change(Some(&customer(3)), &request(None)), Some(customer(4)));
    assert_eq!(change(None, &request(None)), None);
}

#[test]
fn a_decision_tells_the_version_that_the_customer_has_then() {
    let accepted = Decision::new(&request(Some(3)), Some(&customer(3)), Some(&customer(4)));
    assert_eq!((accepted.is_accepted, accepted.version), (true, 4));
    let refused = Decision::new(&request(Some(2)), Some(&customer(3)), None);
    assert_eq!((refused.is_accepted, refused.version), (false, 3));
    let there_is_none = Decision::new(&request(None), None, None);
    assert_eq!((there_is_none.is_accepted, there_is_none.version), (false, 0));
}

#[test]
fn a_decision_is_found_by_its_request_as_long_as_anybody_may_wait_for_it() {
    let decisions = Decisions::default().with(decision("a", 0), LONGEST_WAIT).with(decision("b", 60_000), LONGEST_WAIT);
    assert_eq!(decisions.clone().on("a"), Some(decision("a", 0)));
    assert_eq!(decisions.clone().on("c"), None);
    let later = decisions.with(decision("c", 60_001), LONGEST_WAIT);
    assert_eq!(later.clone().on("a"), None);
    assert_eq!(later.on("b"), Some(decision("b", 60_000)));
}

#[test]
fn however_many_there_are_at_once_no_more_than_a_thousand_are_kept() {
    let all = (0..1001).map(|number| decision(&number.to_string(), 0));
    let decisions = all.fold(Decisions::default(), |decisions, next| decisions.with(next, LONGEST_WAIT));
    assert_eq!(decisions.latest.len(), 1000);
    assert_eq!(decisions.clone().on("0"), None);
    assert_eq!(decisions.on("1000"), Some(decision("1000", 0)));
}
