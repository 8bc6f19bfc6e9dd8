//! Random histories against a plain fold: sets and a sum instead of the states of the domain.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const SEEDS: u64 = 300;
const EVENTS: usize = 120;
const PRODUCTS: [&str; 3] = ["JUMPERS", "UNDERPANTS", "STOCKINGS"];

/// One record of a history.
#[derive(Clone, Debug)]
enum Event {
    Moved(StockMoved),
    Heard(Order),
}

/// What the rules say, in their own words.
#[derive(Default)]
struct Plain {
    on_hand: BTreeMap<String, i64>,
    counted: BTreeSet<String>,
    /// Product and quantity of what live orders hold.
    held: BTreeMap<String, (String, i64)>,
    judged: BTreeSet<String>,
    ended: BTreeSet<String>,
}

impl Plain {
    /// Folds an event; returns the verdict that follows.
    fn fold(&mut self, event: &Event) -> Option<(String, CheckResult)> {
        match event {
            Event::Moved(movement) => {
                if self.counted.insert(movement.id.clone()) {
                    *self.on_hand.entry(movement.product.clone()).or_default() += movement.quantity;
                }
                None
            }
            Event::Heard(order) => match order.state {
                Created => self.judged.insert(order.id.clone()).then(|| self.judge(order)),
                Failed | Cancelled | Shipped => {
                    self.ended.insert(order.id.clone());
                    let held = self.held.remove(&order.id);
                    if let Some((product, quantity)) = held.filter(|_| order.state == Shipped) {
                        *self.on_hand.entry(product).or_default() -= quantity;
                    }
                    None
                }
                _ => None,
            },
        }
    }

    fn judge(&mut self, order: &Order) -> (String, CheckResult) {
        let quantity = i64::from(order.quantity);
        let (on_hand, reserved) = self.level(&order.product);
        if self.ended.contains(&order.id) || quantity <= 0 || quantity > on_hand - reserved {
            return failed(&order.id);
        }
        self.held.insert(order.id.clone(), (order.product.clone(), quantity));
        passed(&order.id)
    }

    /// On hand, and the sum of what live orders hold.
    fn level(&self, product: &str) -> (i64, i64) {
        let held = self.held.values().filter(|(of, _)| of == product).map(|(_, quantity)| quantity);
        (self.on_hand.get(product).copied().unwrap_or(0), held.sum())
    }
}

/// Few orders and few movements, each drawn again and again: repeated, ended before they are created, ended twice.
fn history(random: &mut fastrand::Rng) -> Vec<Event> {
    let product = |random: &mut fastrand::Rng| PRODUCTS[random.usize(..PRODUCTS.len())];
    let movements: Vec<_> = (0..12).map(|n| movement(&format!("m-{n}"), product(random), random.i64(-4..=9))).collect();
    let orders: Vec<_> =
        (0..25).map(|n| order(&format!("o-{n}"), Created, product(random), random.i32(-1..=5))).collect();
    let states = [Created, Created, Created, Failed, Cancelled, Shipped, Validated, Paid];
    let event = |random: &mut fastrand::Rng| {
        if random.u8(..4) == 0 {
            Event::Moved(movements[random.usize(..movements.len())].clone())
        } else {
            let state = states[random.usize(..states.len())];
            Event::Heard(Order { state, ..orders[random.usize(..orders.len())].clone() })
        }
    };
    (0..EVENTS).map(|_| event(random)).collect()
}

fn pipe(driver: &mut TestDriver, event: &Event) {
    match event {
        Event::Moved(movement) => driver.pipe(&STOCK_MOVEMENTS, movement),
        Event::Heard(order) => driver.pipe(&ORDERS, order),
    }
}

/// On hand and reserved, as published.
fn levels(driver: &TestDriver) -> [(i64, i64); 3] {
    PRODUCTS.map(|product| level(driver, product).map_or((0, 0), |level| (level.on_hand, level.reserved)))
}

#[test]
fn any_history_leads_to_the_verdicts_and_levels_of_a_plain_fold() {
    let (mut passes, mut overtaken) = (0, 0);
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut driver, mut plain) = (driver(), Plain::default());
        let mut versions = BTreeMap::new();
        for (place, event) in history(&mut random).iter().enumerate() {
            let expected: Vec<_> = plain.fold(event).into_iter().collect();
            pipe(&mut driver, event);
            let verdicts = verdicts(&mut driver);
            assert_eq!(verdicts, expected, "seed {seed}, event {place}: {event:?}");
            assert_eq!(levels(&driver), PRODUCTS.map(|product| plain.level(product)), "seed {seed}, event {place}");
            for level in driver.read(&WAREHOUSE_INVENTORY) {
                let version = versions.entry(level.product.clone()).or_insert(0);
                *version += 1;
                assert_eq!(level.version, *version, "seed {seed}, event {place}: no version is left out");
                let has_promised = verdicts.iter().any(|(_, result)| *result == CheckResult::Pass);
                assert!(!has_promised || level.reserved <= level.on_hand, "seed {seed}, event {place}: {level:?}");
            }
            passes += verdicts.iter().filter(|(_, result)| *result == CheckResult::Pass).count();
        }
        overtaken += plain.ended.difference(&plain.judged).count();
        assert!(driver.dead_letters().is_empty());
    }
    assert!(passes > 1000 && overtaken > 100, "the histories have something to tell: {passes}, {overtaken}");
}

#[test]
fn hearing_any_part_of_a_history_again_changes_nothing() {
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut driver = driver();
        let history = history(&mut random);
        history.iter().for_each(|event| pipe(&mut driver, event));
        let reservations =
            |driver: &TestDriver| (0..25).map(|n| driver.stored(&RESERVATIONS, &format!("o-{n}"))).collect::<Vec<_>>();
        let before = reservations(&driver);
        verdicts(&mut driver);
        published(&mut driver);

        let suffix = &history[random.usize(..EVENTS)..];
        suffix.iter().for_each(|event| pipe(&mut driver, event));
        assert_eq!(verdicts(&mut driver), [], "seed {seed}");
        assert_eq!(published(&mut driver), [], "seed {seed}");
        assert_eq!(reservations(&driver), before, "seed {seed}");
    }
}
