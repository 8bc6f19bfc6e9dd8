use super::*;

const TIME: Timestamp = Timestamp(1_700_000_000_000);

/// The tables, as a database would have them.
#[derive(Clone, Debug, Default, PartialEq)]
struct Tables {
    orders: BTreeMap<String, OrderRow>,
    events: BTreeMap<(String, i32, i64), EventRow>,
    validations: BTreeMap<(String, String), ValidationRow>,
    payments: BTreeMap<String, PaymentRow>,
    mails: BTreeMap<String, MailRow>,
    customers: BTreeMap<i64, CustomerRow>,
    stock: BTreeMap<String, StockRow>,
}

impl Tables {
    fn write(&mut self, rows: Rows) {
        for row in rows.orders {
            newer(&mut self.orders, row.id.clone(), row, |row| row.version.into());
        }
        for row in rows.validations {
            newer(&mut self.validations, (row.order_id.clone(), row.check_name.clone()), row, |row| row.offset);
        }
        for row in rows.events {
            self.events.entry((row.topic.to_string(), row.partition, row.offset)).or_insert(row);
        }
        for row in rows.payments {
            self.payments.entry(row.id.clone()).or_insert(row);
        }
        for row in rows.mails {
            self.mails.entry(row.id.clone()).or_insert(row);
        }
        rows.gone_customers.iter().for_each(|id| drop(self.customers.remove(id)));
        for row in rows.customers {
            newer(&mut self.customers, row.id, row, |row| row.version.into());
        }
        rows.gone_products.iter().for_each(|product| drop(self.stock.remove(product)));
        for row in rows.stock {
            newer(&mut self.stock, row.product.clone(), row, |row| row.version.into());
        }
    }
}

fn newer<K: Ord, R>(table: &mut BTreeMap<K, R>, key: K, row: R, number: impl Fn(&R) -> i64) {
    if table.get(&key).is_none_or(|known| number(known) < number(&row)) {
        table.insert(key, row);
    }
}

fn order(id: &str, version: i32) -> Order {
    Order {
        id: id.to_string(),
        customer_id: 7,
        state: OrderState::Validated,
        product: "JUMPERS".to_string(),
        quantity: 2,
        price_minor: 999,
        currency: "USD".to_string(),
        version,
        reasons: vec!["a".to_string(), "b".to_string()],
        created_at: TIME,
        updated_at: Timestamp(TIME.0 + i64::from(version)),
    }
}

fn judged(order_id: &str, check: &str, result: CheckResult) -> OrderValidation {
    OrderValidation {
        order_id: order_id.to_string(),
        check: check.to_string(),
        result,
        reason: Some("too much".to_string()),
        checked_at: TIME,
    }
}

fn payment(id: &str, amount_minor: i64) -> Payment {
    let (order_id, currency) = ("o-1".to_string(), "USD".to_string());
    Payment { id: id.to_string(), order_id, amount_minor, currency, paid_at: TIME }
}

fn mail(key: &str, subject: String) -> MailSent {
    let (idempotency_key, order_id) = (key.to_string(), "o-1".to_string());
    MailSent { idempotency_key, order_id, kind: MailKind::Rejection, subject, sent_at: TIME }
}

fn customer(id: i64, version: i32) -> Customer {
    Customer {
        id,
        first_name: "Ada".to_string(),
        last_name: "Ångström".to_string(),
        email: "ada@example.org".to_string(),
        address: "1 Mill Lane".to_string(),
        level: CustomerLevel::Gold,
        version,
    }
}

fn stock(product: &str, version: i32) -> StockLevel {
    StockLevel { product: product.to_string(), on_hand: 5, reserved: version.into(), version, updated_at: TIME }
}

fn place(topic: &str, offset: i64) -> Place {
    Place { topic: topic.into(), partition: 0, offset, processed_at: Some(Timestamp(offset)), traceparent: None }
}

/// Events as a log may hold them: versions grow, but for repetitions; customers and products go and come back.
fn log(random: &mut fastrand::Rng) -> Vec<(Place, Event)> {
    let mut versions: BTreeMap<String, i32> = BTreeMap::new();
    let mut events = Vec::new();
    for offset in 0..random.i64(1..80) {
        let id = format!("o-{}", random.u8(0..4));
        let mut version = |key: &str| {
            let version = versions.entry(format!("{key}{id}")).or_default();
            *version += random.i32(0..2);
            (*version).max(1)
        };
        let event = match offset % 9 {
            0 => Event::Ordered(order(&id, version("order "))),
            1 => Event::Judged(judged(&id, "fraud", CheckResult::Pass)),
            2 => Event::Judged(judged(&id, ["fraud", "inventory"][usize::from(offset % 2 == 0)], CheckResult::Fail)),
            3 => Event::Paid(payment(&id, offset)),
            4 => Event::Mailed(mail(&id, format!("about {offset}"))),
            5 => Event::CustomerChanged(customer(offset % 3, version("customer "))),
            6 => Event::StockChanged(stock(&id, version("stock "))),
            7 => Event::CustomerGone(offset % 3),
            _ => Event::ProductGone(id),
        };
        events.push((place("all", offset), event));
    }
    events
}

#[test]
fn the_tables_are_the_same_however_the_log_is_cut_into_batches_and_wherever_it_is_read_again() {
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let log = log(&mut random);
        let mut one_by_one = Tables::default();
        log.iter().for_each(|event| one_by_one.write(Rows::of([event.clone()])));

        let (mut tables, mut at) = (Tables::default(), 0);
        while at < log.len() {
            let end = random.usize(at + 1..=log.len());
            tables.write(Rows::of(log[at..end].iter().cloned()));
            // Now and then what was written is read once more.
            at = if random.u8(0..4) == 0 { random.usize(0..=end) } else { end };
        }
        assert_eq!(tables, one_by_one, "seed {seed}");
    }
}

#[test]
fn a_row_is_the_newest_version_and_of_equal_ones_the_first() {
    let events = [
        (place("a", 0), Event::Ordered(order("o-1", 2))),
        (place("a", 1), Event::Ordered(order("o-1", 3))),
        (place("a", 2), Event::Ordered(Order { product: "late".to_string(), ..order("o-1", 3) })),
        (place("a", 3), Event::Ordered(order("o-1", 1))),
        (place("b", 0), Event::Paid(payment("p", 1))),
        (place("b", 1), Event::Paid(payment("p", 2))),
    ];
    let rows = Rows::of(events);
    let orders: Vec<_> = rows.orders.iter().map(|row| (row.version, &*row.product)).collect();
    assert_eq!(orders, [(3, "JUMPERS")]);
    assert_eq!(rows.payments.iter().map(|row| row.amount_minor).collect::<Vec<_>>(), [1]);
    assert_eq!(rows.events.len(), 6, "the journey has every event");
}

#[test]
fn a_journey_tells_what_happened_in_the_words_of_the_log() {
    let requested = OrderRequested {
        body: Vec::new(),
        order_id: "o-1".to_string(),
        customer_id: 7,
        product: "JUMPERS".to_string(),
        quantity: 2,
        price_minor: 999,
        currency: "USD".to_string(),
        requested_at: TIME,
    };
    let missing = vec!["fraud".to_string(), "inventory".to_string()];
    let expired = OrderExpired { order_id: "o-1".to_string(), missing, expired_at: TIME };
    let events = [
        Event::Requested(requested),
        Event::Ordered(order("o-1", 1)),
        Event::Judged(judged("o-1", "fraud", CheckResult::Fail)),
        Event::Expired(expired),
        Event::Paid(payment("p", 1998)),
        Event::Mailed(mail("m", "Your order".to_string())),
        Event::CustomerChanged(customer(1, 1)),
    ];
    let rows = Rows::of((0..).zip(events).map(|(offset, event)| (place("a", offset), event)));
    let told: Vec<_> = rows.events.iter().map(|row| (&*row.what, &*row.note)).collect();
    let expected = [
        ("requested", ""),
        ("VALIDATED", "a; b"),
        ("fraud: FAIL", "too much"),
        ("expired", "no verdict of fraud, inventory"),
        ("paid", "19.98 USD"),
        ("mailed", "Your order"),
    ];
    assert_eq!(told, expected);
    assert!(rows.events.iter().all(|row| row.order_id == "o-1" && row.processed_at_ms == Some(row.offset)));
}

#[test]
fn a_customer_that_goes_and_comes_back_in_one_batch_is_removed_first() {
    let events =
        [Event::CustomerChanged(customer(7, 5)), Event::CustomerGone(7), Event::CustomerChanged(customer(7, 1))];
    let rows = Rows::of((0..).zip(events).map(|(offset, event)| (place("a", offset), event)));
    assert_eq!((&*rows.gone_customers, rows.customers.len(), rows.customers[0].version), (&[7][..], 1, 1));
}

#[test]
fn texts_are_made_such_that_no_database_refuses_them() {
    assert_eq!(stored_text("a\0b".to_string()), "a\u{fffd}b");
    let key = |end: &str| key_text(format!("{}{end}", "å".repeat(1000)));
    assert!(key("x").len() <= 512 && key("x").starts_with("åå"));
    assert_ne!(key("x"), key("y"), "what differs at the end is told apart");
    assert_eq!(key_text("å".repeat(256)), "å".repeat(256));
}
