use shared_schemas::CustomerLevel;

use super::*;

const NOW: Timestamp = Timestamp(5000);

fn order(state: OrderState) -> Order {
    Order {
        id: "o-1".to_string(),
        customer_id: 7,
        state,
        product: "JUMPERS".to_string(),
        quantity: 2,
        price_minor: 999,
        currency: "USD".to_string(),
        version: 2,
        reasons: Vec::new(),
        created_at: Timestamp(1000),
        updated_at: Timestamp(2000),
    }
}

fn payment(id: &str, amount_minor: i64) -> Payment {
    let currency = "USD".to_string();
    Payment { id: id.to_string(), order_id: "o-1".to_string(), amount_minor, currency, paid_at: Timestamp(3000) }
}

fn customer() -> Customer {
    Customer {
        id: 7,
        first_name: "Ada".to_string(),
        last_name: "Ångström".to_string(),
        email: "ada@example.org".to_string(),
        address: "1 Mill Lane".to_string(),
        level: CustomerLevel::Gold,
        version: 1,
    }
}

/// Which of these payments, in this sequence, makes the confirmation due.
fn due(payments: &[Payment]) -> Vec<bool> {
    let mut mailing = Mailing::default();
    let hear_of = |payment: &Payment| {
        hear(&mut mailing, &Heard::Paid(order(OrderState::Validated), payment.clone()), NOW).is_some()
    };
    payments.iter().map(hear_of).collect()
}

#[test]
fn a_payment_of_the_price_makes_the_confirmation_due_once() {
    assert_eq!(due(&[payment("p", 1998)]), [true]);
    assert_eq!(due(&[payment("p", 1998), payment("q", 1998)]), [true, false]);
    assert_eq!(due(&[payment("p", 5000)]), [true]);
}

#[test]
fn payments_add_up_until_they_come_to_the_price() {
    assert_eq!(due(&[payment("p", 1000), payment("q", 997), payment("r", 1)]), [false, false, true]);
}

#[test]
fn a_payment_that_is_heard_of_twice_counts_once() {
    assert_eq!(due(&[payment("p", 1000), payment("p", 1000)]), [false, false]);
}

#[test]
fn payments_of_nothing_or_less_or_in_another_currency_do_not_count() {
    let euros = Payment { currency: "EUR".to_string(), ..payment("e", 1998) };
    assert_eq!(due(&[payment("p", 0), payment("q", -1), euros, payment("r", 1997)]), [false; 4]);
}

#[test]
fn amounts_at_the_end_of_their_range_do_no_harm() {
    let mut dear = Order { quantity: i32::MAX, price_minor: i64::MAX, ..order(OrderState::Validated) };
    let mut mailing = Mailing::default();
    let most = payment("p", i64::MAX);
    assert!(hear(&mut mailing, &Heard::Paid(dear.clone(), most), NOW).is_some());
    dear.price_minor = i64::MIN;
    assert!(mail(&Addressed { order: dear, customer: customer(), due_at: NOW }).text.contains("JUMPERS"));
}

#[test]
fn an_order_that_costs_nothing_need_not_be_paid() {
    let free = Order { price_minor: 0, ..order(OrderState::Validated) };
    let mut mailing = Mailing::default();
    assert_eq!(hear(&mut mailing, &Heard::Free(free.clone()), NOW), Some(free.clone()));
    assert_eq!(hear(&mut mailing, &Heard::Free(free), NOW), None, "once");
}

#[test]
fn a_failed_order_is_told_once_and_without_a_payment() {
    let mut mailing = Mailing::default();
    assert!(hear(&mut mailing, &Heard::Failed(order(OrderState::Failed)), NOW).is_some());
    assert!(hear(&mut mailing, &Heard::Failed(order(OrderState::Failed)), NOW).is_none());
}

#[test]
fn a_confirmation_says_what_was_ordered_what_it_costs_and_where_it_goes() {
    let addressed = Addressed { order: order(OrderState::Validated), customer: customer(), due_at: NOW };
    let mail = mail(&addressed);
    assert_eq!((mail.idempotency_key.as_str(), mail.kind), ("o-1/confirmation", MailKind::Confirmation));
    assert_eq!((mail.recipient_name.as_str(), mail.recipient_address.as_str()), ("Ada Ångström", "ada@example.org"));
    assert_eq!((mail.subject.as_str(), mail.due_at), ("Your order o-1 is confirmed", NOW));
    assert_eq!(
        mail.text,
        "Dear Ada Ångström,\n\nthank you for your order and your payment:\n\n  2 x JUMPERS at 9.99 USD, 19.98 USD in all\n\n\
         It goes to:\n\n  1 Mill Lane\n"
    );
}

#[test]
fn a_rejection_says_the_reasons() {
    let reasons = vec!["fraud: too much".to_string(), "inventory: too few".to_string()];
    let order = Order { reasons, ..order(OrderState::Failed) };
    let mail = mail(&Addressed { order, customer: customer(), due_at: NOW });
    assert_eq!((mail.idempotency_key.as_str(), mail.kind), ("o-1/rejection", MailKind::Rejection));
    assert_eq!(mail.subject, "Your order o-1 could not be accepted");
    assert!(mail.text.contains("  - fraud: too much\n  - inventory: too few\n"), "{}", mail.text);
    assert_eq!(mail.reason, "fraud: too much; inventory: too few");
}

#[test]
fn only_a_confirmed_order_is_enriched() {
    let of = |state| enriched(&Addressed { order: order(state), customer: customer(), due_at: NOW });
    assert_eq!(of(OrderState::Failed), None);
    assert_eq!(of(OrderState::Validated).unwrap().customer_level, CustomerLevel::Gold);
}

#[test]
fn an_order_waits_for_so_many_lookups() {
    let mut waiting = Waiting::new(&order(OrderState::Validated), NOW);
    let mut lookups = 1;
    while let Some(again) = waiting.again(NOW) {
        (waiting, lookups) = (again, lookups + 1);
    }
    assert_eq!(lookups, LOOKUPS);
}
