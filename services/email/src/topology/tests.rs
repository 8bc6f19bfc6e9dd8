use std::time::Duration;

use clap::Parser;
use shared_schemas::{Customer, MailDue, MailKind, Order, OrderEnriched, Payment};
use streams::{TestDriver, Timestamp, Topic};

use super::*;

const MINUTE: i64 = 60_000;
const WINDOW: i64 = 60 * MINUTE;
const GRACE: i64 = 10 * MINUTE;
const START: i64 = 1_000 * MINUTE;

/// The service in a test's hand. Times are minutes after the order.
struct Email(TestDriver);

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

impl Email {
    fn new() -> Self {
        let mut options = Arguments::parse_from(["email"]).options;
        options.grace = Duration::from_millis(GRACE.unsigned_abs());
        let mut driver = TestDriver::new(topology(&options)).unwrap();
        // All of it is in the past.
        driver.advance(Duration::from_millis((START + 10_000 * MINUTE).unsigned_abs()));
        Self(driver)
    }

    /// With the customer of all orders.
    fn with_customer() -> Self {
        let mut email = Self::new();
        email.customer("ada@example.org");
        email
    }

    fn customer(&mut self, address: &str) {
        let customer = Customer {
            id: 7,
            first_name: "Ada".to_string(),
            last_name: "Ångström".to_string(),
            email: address.to_string(),
            address: "1 Mill Lane".to_string(),
            level: CustomerLevel::Gold,
            version: 1,
        };
        self.0.pipe_at(&CUSTOMERS, Timestamp(START), &customer);
    }

    fn order(&mut self, minute: i64, id: &str, state: OrderState) {
        let order = Order {
            id: id.to_string(),
            customer_id: 7,
            state,
            product: "JUMPERS".to_string(),
            quantity: 1,
            price_minor: 500,
            currency: "USD".to_string(),
            version: 2,
            reasons: Vec::new(),
            created_at: at(minute),
            updated_at: at(minute),
        };
        self.0.pipe_at(&ORDERS, at(minute), &order);
    }

    fn pay(&mut self, minute: i64, id: &str, order_id: &str, amount_minor: i64) {
        let (id, order_id, currency) = (id.to_string(), order_id.to_string(), "USD".to_string());
        let payment = Payment { id, order_id, amount_minor, currency, paid_at: at(minute) };
        self.0.pipe_at(&PAYMENTS, at(minute), &payment);
    }

    /// Lets stream time pass, by an order that is no concern of anybody.
    fn pass(&mut self, minute: i64) {
        self.order(minute, "far", OrderState::Validated);
    }

    fn mails(&mut self) -> Vec<MailDue> {
        self.0.read(&EMAIL_OUTBOX)
    }

    /// The keys of the mails.
    fn keys(&mut self) -> Vec<String> {
        self.mails().into_iter().map(|mail| mail.idempotency_key).collect()
    }

    /// Why what was given up was.
    fn given_up(&mut self) -> Vec<String> {
        self.0.dead_letters().into_iter().map(|letter| letter.cause.to_string()).collect()
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp(START + minute * MINUTE)
}

use OrderState::{Created, Failed, Validated};

#[test]
fn an_order_that_is_paid_before_and_one_that_is_paid_after_validation_get_one_mail_each() {
    let mut email = Email::with_customer();
    email.pay(0, "p-1", "early", 500);
    email.order(5, "early", Validated);
    email.order(6, "late", Validated);
    email.pay(9, "p-2", "late", 500);
    let mails = email.mails();
    let said: Vec<_> = mails.iter().map(|mail| (mail.idempotency_key.as_str(), mail.due_at)).collect();
    assert_eq!(said, [("early/confirmation", at(5)), ("late/confirmation", at(9))]);
    email.pass(1000);
    assert_eq!((email.keys(), email.given_up()), (Vec::new(), Vec::new()));
}

#[test]
fn an_order_that_is_not_validated_is_not_confirmed() {
    let mut email = Email::with_customer();
    email.order(0, "o", Created);
    email.pay(1, "p", "o", 500);
    assert!(email.keys().is_empty());
}

#[test]
fn a_failed_order_is_rejected_and_its_payment_given_up() {
    let mut email = Email::with_customer();
    email.order(0, "o", Failed);
    let mail = email.mails().remove(0);
    assert_eq!((mail.idempotency_key.as_str(), mail.kind), ("o/rejection", MailKind::Rejection));
    email.pay(1, "p", "o", 500);
    email.pass(1 + 70 + 1);
    assert_eq!(email.given_up(), [NO_ORDER]);
    assert!(email.keys().is_empty());
}

#[test]
fn a_payment_at_the_end_of_the_window_confirms_and_one_behind_it_is_given_up() {
    let mut email = Email::with_customer();
    email.order(0, "o", Validated);
    email.order(0, "other", Validated);
    email.pay(60, "p", "o", 500);
    email.pay(61, "q", "other", 500);
    assert_eq!(email.keys(), ["o/confirmation"]);
    email.pass(61 + 70 + 1);
    assert_eq!(email.given_up(), [NO_ORDER]);
}

#[test]
fn a_payment_long_before_its_order_is_given_up() {
    let mut email = Email::with_customer();
    email.pay(0, "p", "o", 500);
    email.order(61, "o", Validated);
    email.pass(1000);
    assert_eq!((email.keys(), email.given_up()), (Vec::new(), vec![NO_ORDER.to_string()]));
}

#[test]
fn a_payment_that_comes_out_of_sequence_confirms_within_the_grace_and_is_given_up_behind_it() {
    let mut email = Email::with_customer();
    email.order(0, "in-time", Validated);
    email.order(0, "too-late", Validated);
    email.pass(69);
    email.pay(5, "p", "in-time", 500);
    assert_eq!(email.keys(), ["in-time/confirmation"]);
    email.pass(76);
    email.pay(5, "q", "too-late", 500);
    assert_eq!((email.keys(), email.given_up()), (Vec::new(), vec![NO_ORDER.to_string()]));
}

#[test]
fn a_payment_that_is_repeated_says_nothing_more() {
    let mut email = Email::with_customer();
    email.order(0, "o", Validated);
    email.pay(1, "p", "o", 500);
    email.pay(1, "p", "o", 500);
    assert_eq!(email.keys(), ["o/confirmation"]);
}

#[test]
fn several_payments_confirm_when_they_come_to_the_price() {
    let mut email = Email::with_customer();
    email.pay(0, "p", "o", 200);
    email.order(1, "o", Validated);
    email.pay(2, "q", "o", 200);
    assert!(email.keys().is_empty());
    email.pay(3, "r", "o", 200);
    email.pay(4, "s", "o", 200);
    assert_eq!(email.keys(), ["o/confirmation"]);
}

#[test]
fn a_customer_who_moves_between_order_and_payment_hears_at_the_new_address() {
    let mut email = Email::with_customer();
    email.order(0, "o", Validated);
    email.customer("ada@new.example");
    email.pay(1, "p", "o", 500);
    assert_eq!(email.mails()[0].recipient_address, "ada@new.example");
}

#[test]
fn an_order_waits_for_its_customer() {
    let mut email = Email::new();
    email.order(0, "o", Failed);
    email.0.advance(Duration::from_secs(12));
    assert!(email.keys().is_empty());
    email.customer("ada@example.org");
    email.0.advance(Duration::from_secs(6));
    let mail = email.mails().remove(0);
    assert_eq!((mail.recipient_address.as_str(), mail.due_at), ("ada@example.org", at(0)));
    assert_eq!(email.0.stored(&WAITING, "o"), None);
}

#[test]
fn an_order_whose_customer_stays_unknown_is_given_up_after_a_while() {
    let mut email = Email::new();
    email.order(0, "o", Failed);
    for _ in 0..11 {
        assert!(email.given_up().is_empty());
        email.0.advance(Duration::from_secs(5));
    }
    assert_eq!(email.given_up(), [NO_CUSTOMER]);
    email.customer("ada@example.org");
    email.0.advance(Duration::from_secs(600));
    assert_eq!((email.keys(), email.given_up()), (Vec::new(), Vec::new()));
}

#[test]
fn a_confirmed_order_goes_to_the_topic_of_its_customers_level_and_a_rejected_one_to_none() {
    let mut email = Email::with_customer();
    email.order(0, "o", Validated);
    email.pay(1, "p", "o", 500);
    email.order(2, "failed", Failed);
    let mut of = |topic: &Topic<OrderEnriched>| -> Vec<String> {
        email.0.read(topic).into_iter().map(|order| order.order_id).collect()
    };
    assert_eq!(of(&ORDERS_GOLD), ["o"]);
    assert!([&ORDERS_PLATINUM, &ORDERS_SILVER, &ORDERS_BRONZE].into_iter().all(|topic| of(topic).is_empty()));
}

#[test]
fn what_was_done_is_forgotten_when_no_payment_can_meet_it_any_more() {
    let mut email = Email::with_customer();
    email.order(0, "o", Validated);
    email.pay(60, "p", "o", 500);
    email.pass(60 + (2 * WINDOW + GRACE) / MINUTE - 1);
    assert!(email.0.stored(&MAILINGS, "o").is_some());
    email.pass(60 + (2 * WINDOW + GRACE) / MINUTE);
    assert!(email.0.stored(&MAILINGS, "o").is_none());
}
