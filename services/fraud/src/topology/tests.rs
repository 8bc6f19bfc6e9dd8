use std::time::Duration;

use shared_schemas::money::Decimal;
use shared_schemas::{CheckResult, Order, OrderValidation};
use streams::{TestDriver, Timestamp};

use super::*;
use CheckResult::{Fail, Pass};

const GAP_MS: i64 = 1000;
const GRACE_MS: i64 = 500;

/// The check in a test's hand.
struct Fraud(TestDriver);

impl Fraud {
    fn with_limit(limit: &str) -> Self {
        let options = Options {
            spending_limit: limit.parse::<Decimal>().unwrap(),
            inactivity_gap: Duration::from_millis(GAP_MS.unsigned_abs()),
            grace: Duration::from_millis(GRACE_MS.unsigned_abs()),
        };
        Self(TestDriver::new(topology(&options)).unwrap())
    }

    /// Has an order judged; there is one verdict on it, no more.
    fn judge_at(&mut self, at_ms: i64, order: &Order) -> OrderValidation {
        self.0.pipe_at(&ORDERS, Timestamp(at_ms), order);
        let mut verdicts = self.0.read(&order_validations(domain::CHECK));
        assert_eq!(verdicts.len(), 1, "{verdicts:?}");
        verdicts.remove(0)
    }

    /// Whether orders of one customer pass, each with its moment and what it costs.
    fn results(&mut self, orders: &[(i64, i64)]) -> Vec<CheckResult> {
        orders.iter().map(|(at_ms, price_minor)| self.judge_at(*at_ms, &order(1, 1, *price_minor)).result).collect()
    }

    /// What is known of that customer: when each session began and ended, and what it comes to.
    fn sessions(&self) -> Vec<(i64, i64, i64)> {
        let kept = self.0.stored(&SPENDING, &domain::spender(&order(1, 1, 1)));
        let kept = kept.unwrap_or_default().sessions;
        kept.into_iter().map(|it| (it.start.0, it.end.0, it.aggregate.total_minor)).collect()
    }
}

fn order(customer_id: i64, quantity: i32, price_minor: i64) -> Order {
    Order {
        id: "o-1".to_string(),
        customer_id,
        state: OrderState::Created,
        product: "JUMPERS".to_string(),
        quantity,
        price_minor,
        currency: "USD".to_string(),
        version: 1,
        reasons: Vec::new(),
        created_at: Timestamp(1000),
        updated_at: Timestamp(1000),
    }
}

#[test]
fn each_customer_has_a_limit_that_failed_orders_count_towards() {
    let mut fraud = Fraud::with_limit("2000.00");
    let orders = [
        (order(0, 3, 500), Pass),
        (order(0, 1, 7500), Pass),
        (order(1, 1, 7500), Pass),
        (order(1, 1, 7500), Pass),
        (order(1, 50, 7500), Fail),
        (order(2, 10, 10_000), Pass),
        (order(2, 10, 10_000), Fail), // exactly 2000.00
        (order(2, 1, 500), Fail),
    ];
    for (order, expected) in orders {
        let verdict = fraud.judge_at(2000, &order);
        assert_eq!(verdict.result, expected, "{order:?}: {verdict:?}");
        assert_eq!(verdict.checked_at, Timestamp(2000), "the event time of the order, not a clock");
    }
}

#[test]
fn only_created_orders_are_judged_and_counted() {
    use OrderState::{Cancelled, Failed, Paid, Shipped, Unknown, Validated};
    let mut fraud = Fraud::with_limit("100.00");
    for state in [Validated, Failed, Paid, Shipped, Cancelled, Unknown] {
        fraud.0.pipe(&ORDERS, &Order { state, version: 2, ..order(1, 1, 9999) });
    }
    assert_eq!(fraud.0.read(&order_validations(domain::CHECK)), []);
    assert_eq!(fraud.results(&[(1000, 9999)]), [Pass]);
}

#[test]
fn what_a_customer_spends_in_another_currency_is_counted_apart() {
    let mut fraud = Fraud::with_limit("100.00");
    let of = |currency: &str| Order { currency: currency.to_string(), ..order(1, 1, 60) };
    let dollars = |number| Order { quantity: number * 100, ..of("USD") };
    assert_eq!(fraud.judge_at(0, &dollars(1)).result, Pass);
    assert_eq!(fraud.judge_at(0, &of("JPY")).result, Pass);
    assert_eq!(fraud.judge_at(0, &of("KWD")).result, Pass);
    assert_eq!(fraud.judge_at(0, &dollars(1)).result, Fail, "120.00 dollars");
    assert_eq!(fraud.judge_at(0, &of("JPY")).result, Fail, "120 yen");
    assert_eq!(fraud.judge_at(0, &of("KWD")).result, Pass, "0.120 dinars");
}

#[test]
fn a_session_is_over_when_nothing_was_ordered_for_longer_than_the_gap() {
    assert_eq!(Fraud::with_limit("100.00").results(&[(0, 9999), (GAP_MS, 1)]), [Pass, Fail]);
    assert_eq!(Fraud::with_limit("100.00").results(&[(0, 9999), (GAP_MS + 1, 1)]), [Pass, Pass]);
}

#[test]
fn each_order_prolongs_the_session_also_one_that_fails() {
    let mut fraud = Fraud::with_limit("100.00");
    assert_eq!(fraud.results(&[(0, 9999), (900, 1), (1800, 1), (2700, 1), (3701, 1)]), [Pass, Fail, Fail, Fail, Pass]);
}

#[test]
fn an_order_that_spends_nothing_passes_and_neither_begins_nor_prolongs_a_session() {
    let nothing = [(1, 0), (0, 500), (-1, 500), (1, -500), (i32::MAX, i64::MIN)];
    let nothing = nothing.map(|(quantity, price_minor)| order(1, quantity, price_minor));
    let mut fraud = Fraud::with_limit("100.00");
    for order in &nothing {
        assert_eq!(fraud.judge_at(0, order).result, Pass, "{order:?}");
    }
    assert_eq!(fraud.sessions(), []);

    assert_eq!(fraud.results(&[(0, 10_000)]), [Fail]);
    for order in &nothing {
        let verdict = fraud.judge_at(900, order);
        assert_eq!((verdict.result, verdict.checked_at), (Pass, Timestamp(900)), "{order:?}");
    }
    assert_eq!(fraud.sessions(), [(0, 0, 10_000)]);
    assert_eq!(fraud.results(&[(GAP_MS + 1, 9999)]), [Pass]);
}

#[test]
fn a_late_order_joins_two_sessions_and_is_judged_by_both() {
    let mut fraud = Fraud::with_limit("100.00");
    assert_eq!(fraud.results(&[(0, 5000), (1400, 4999)]), [Pass, Pass]);
    assert_eq!(fraud.sessions(), [(0, 0, 5000), (1400, 1400, 4999)]);
    assert_eq!(fraud.results(&[(700, 1)]), [Fail]);
    assert_eq!(fraud.sessions(), [(0, 1400, 10_000)]);
}

#[test]
fn a_late_order_counts_towards_the_session_of_its_time() {
    let mut fraud = Fraud::with_limit("100.00");
    assert_eq!(fraud.results(&[(0, 5000), (1500, 4999), (0, 5000), (1500, 1)]), [Pass, Pass, Fail, Pass]);
    assert_eq!(fraud.sessions(), [(0, 0, 10_000), (1500, 1500, 5000)]);
}

#[test]
fn an_order_later_than_the_grace_is_judged_alone() {
    let too_late = GAP_MS + GRACE_MS + 1;
    let mut fraud = Fraud::with_limit("100.00");
    assert_eq!(fraud.results(&[(0, 9999), (too_late, 9999)]), [Pass, Pass]);
    assert_eq!(fraud.results(&[(0, 9999), (0, 9999), (0, 10_000)]), [Pass, Pass, Fail], "nothing adds up");
    assert_eq!(fraud.sessions(), [(too_late, too_late, 9999)]);
}

#[test]
fn a_late_order_still_counts_in_the_last_millisecond_of_the_grace_and_then_its_customer_is_forgotten() {
    let mut fraud = Fraud::with_limit("100.00");
    assert_eq!(fraud.results(&[(0, 5000)]), [Pass]);
    fraud.judge_at(GAP_MS + GRACE_MS, &order(2, 1, 1));
    assert_eq!(fraud.results(&[(0, 5000)]), [Fail]);
    fraud.judge_at(GAP_MS + GRACE_MS + 1, &order(2, 1, 1));
    let key = domain::spender(&order(1, 1, 1));
    assert_eq!(fraud.0.stored(&SPENDING, &key), None);
    assert_eq!(fraud.results(&[(0, 5000)]), [Pass]);
    assert_eq!(fraud.0.stored(&SPENDING, &key), None);
}

#[test]
fn sums_beyond_the_range_fail_and_harm_nobody() {
    let mut fraud = Fraud::with_limit("922337203685477.5807");
    for _ in 0..3 {
        let verdict = fraud.judge_at(0, &Order { currency: "CLF".to_string(), ..order(1, i32::MAX, i64::MAX) });
        assert_eq!(verdict.result, Fail, "the highest limit there is, in the currency with the most decimals");
    }
    assert_eq!(fraud.0.dead_letters(), []);
}
