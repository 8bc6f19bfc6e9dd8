use avro_codec::Schemas;
use shared_schemas::{CustomerLevel, CustomerRequested};
use streams::{TestDriver, Timestamp};

use super::*;

fn request(request_id: &str, expected_version: Option<i32>) -> CustomerRequested {
    CustomerRequested {
        body: Vec::new(),
        id: 7,
        request_id: request_id.to_string(),
        expected_version,
        first_name: "Ada".to_string(),
        last_name: "Miller".to_string(),
        email: "ada@example.com".to_string(),
        address: "1 Mill Lane".to_string(),
        level: CustomerLevel::Gold,
        requested_at: Timestamp(1000),
    }
}

fn driver() -> TestDriver {
    TestDriver::new(topology(&Options {})).unwrap()
}

#[test]
fn of_twenty_requests_from_one_version_one_is_accepted_and_each_finds_its_decision() {
    let mut driver = driver();
    driver.pipe(&CUSTOMER_REQUESTS, &request("first", Some(0)));
    for number in 0..20 {
        driver.pipe(&CUSTOMER_REQUESTS, &request(&number.to_string(), Some(1)));
    }
    let versions: Vec<_> = driver.read(&CUSTOMERS).iter().map(|customer| customer.version).collect();
    assert_eq!(versions, [1, 2]);
    let decisions = driver.stored(&DECISIONS, "7").unwrap();
    let accepted: Vec<_> =
        (0..20).filter(|number| decisions.clone().on(&number.to_string()).unwrap().is_accepted).collect();
    assert_eq!(accepted, [0]);
}

#[test]
fn a_request_that_is_refused_is_no_record_for_others() {
    let mut driver = driver();
    driver.pipe(&CUSTOMER_REQUESTS, &request("a", None));
    assert_eq!(driver.read(&CUSTOMERS), []);
    assert!(!driver.stored(&DECISIONS, "7").unwrap().on("a").unwrap().is_accepted);
}

#[test]
fn a_request_under_the_key_of_another_customer_is_put_aside() {
    let mut driver = driver();
    let encoded = Schemas::local().encode("customer-requests-value", &request("a", Some(0))).unwrap();
    driver.pipe_raw(CUSTOMER_REQUESTS.name(), Some(b"8"), Some(&encoded), Timestamp(1000));
    assert_eq!(driver.dead_letters().len(), 1);
    assert_eq!(driver.stored(&customers(), "8"), None);
    assert!(driver.stored(&DECISIONS, "8").is_none());
}
