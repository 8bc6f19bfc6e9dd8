use shared_schemas::{CheckResult, CustomerLevel, MailKind, OrderState};
use test_kit::RawRecord;

use super::*;

const MOMENT: Timestamp = Timestamp(1_763_697_600_000);

fn event<V>(offset: i64, value: V) -> Event<V> {
    let header = ("processed-at".to_string(), Some(b"1763697600007".to_vec()));
    let record = RawRecord { offset, headers: vec![header], ..RawRecord::new("key", "") };
    Event { record, value }
}

fn order(version: i32, state: OrderState) -> Order {
    Order {
        id: "order".to_string(),
        customer_id: 7,
        state,
        product: "JUMPERS".to_string(),
        quantity: 3,
        price_minor: 500,
        currency: "USD".to_string(),
        version,
        reasons: Vec::new(),
        created_at: MOMENT,
        updated_at: MOMENT,
    }
}

fn payment(id: &str, amount_minor: i64, currency: &str) -> Payment {
    let (id, order_id, currency) = (id.to_string(), "order".to_string(), currency.to_string());
    Payment { id, order_id, amount_minor, currency, paid_at: MOMENT }
}

fn validation(result: CheckResult) -> OrderValidation {
    let (order_id, check) = ("order".to_string(), "fraud".to_string());
    OrderValidation { order_id, check, result, reason: None, checked_at: MOMENT }
}

fn mail(subject: &str) -> MailSent {
    MailSent {
        idempotency_key: "order/confirmation".to_string(),
        order_id: "order".to_string(),
        kind: MailKind::Confirmation,
        subject: subject.to_string(),
        sent_at: MOMENT,
    }
}

fn customer(version: i32, level: CustomerLevel) -> Customer {
    let text = |text: &str| text.to_string();
    let (first_name, last_name) = (text("Ada"), text("Miller"));
    Customer { id: 7, first_name, last_name, email: text(""), address: text(""), level, version }
}

fn level(version: i32, reserved: i64) -> StockLevel {
    StockLevel { product: "JUMPERS".to_string(), on_hand: 10, reserved, version, updated_at: MOMENT }
}

#[test]
fn the_newest_counts_and_of_what_is_repeated_the_first() {
    let chronicle = Chronicle {
        orders: vec![event(1, order(2, OrderState::Validated)), event(0, order(1, OrderState::Created))],
        validations: BTreeMap::from([(
            "fraud".to_string(),
            vec![event(0, validation(CheckResult::Error)), event(1, validation(CheckResult::Pass))],
        )]),
        payments: vec![
            event(0, payment("a", 500, "USD")),
            event(1, payment("a", 900, "USD")),
            event(2, payment("b", 250, "USD")),
            event(3, payment("c", 100, "EUR")),
        ],
        customers: vec![event(0, customer(2, CustomerLevel::Gold)), event(1, customer(1, CustomerLevel::Bronze))],
        levels: vec![event(0, level(1, 0)), event(1, level(2, 3))],
        mails: vec![event(0, mail("first")), event(1, mail("second"))],
        ..Chronicle::default()
    };
    let documents = chronicle.documents();
    let order = &documents["/v1/orders/order"];
    assert_eq!((&order["state"], &order["version"]), (&json!("VALIDATED"), &json!(2)));
    assert_eq!((&order["paid"], order["payments"].as_array().map(Vec::len)), (&json!(7.5), Some(3)));
    assert_eq!(order["customer"]["level"], "GOLD");
    assert_eq!(order["validations"][0]["result"], "PASS");
    assert_eq!((&order["mails"][0]["subject"], &order["mails"][1]), (&json!("first"), &Value::Null));
    assert_eq!(order["journey"].as_array().map(Vec::len), Some(10), "all of it has happened");
    assert_eq!(order["journey"][0]["processedAt"], "2025-11-21T04:00:00.007Z");
    assert_eq!(documents["/v1/stock"]["stock"][0]["available"], 7);
}

#[test]
fn what_is_missing_too_much_or_different_differs_and_a_sequence_does_not() {
    let documents = |document: Value| Documents::from([("/v1/orders/order".to_string(), document)]);
    let expected = || documents(json!({"journey": [{"offset": 1}, {"offset": 2}]}));
    assert!(differences(expected(), documents(json!({"journey": [{"offset": 2}, {"offset": 1}]}))).is_empty());
    for shown in [
        documents(json!({"journey": [{"offset": 1}]})),
        documents(json!({"journey": [{"offset": 1}, {"offset": 1}, {"offset": 2}]})),
        documents(json!({"journey": [{"offset": 1}, {"offset": 3}]})),
        Documents::new(),
    ] {
        assert_eq!(differences(expected(), shown.clone()).len(), 1);
        assert_eq!(differences(shown, expected()).len(), 1);
    }
}
