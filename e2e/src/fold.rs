//! What must follow from what the checks were told, folded over plain maps: no line of this is shared with a service.

use std::collections::{BTreeMap, BTreeSet};

use shared_schemas::{CheckResult, Order, OrderState, OrderValidation, StockLevel, StockMoved};

use crate::audit::{Log, grouped};

/// What the checks have read, in the order in which they have read it.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Orders that spend something, as they came to fraud: those of one customer in their order.
    pub by_fraud: Vec<Order>,
    /// Orders as they came to inventory: those of one product in their order.
    pub by_inventory: Vec<Order>,
    /// All movements of stock, each of which came before the orders of its product.
    pub movements: Vec<StockMoved>,
}

/// What a customer may spend, in minor units; all orders are of one session and one currency.
const LIMIT_MINOR: i64 = 200_000;

/// Every way in which the log says something else than what follows from what the checks heard.
///
/// `levels` are the records of the stock, of which the last of each product counts.
pub fn disagreements(heard: &Heard, log: &Log, levels: &[StockLevel]) -> Vec<String> {
    let mut found = Vec::new();
    let created: BTreeMap<&str, &Order> =
        log.orders.iter().filter(|order| order.version == 1).map(|order| (order.id.as_str(), order)).collect();
    let validations = grouped(&log.validations, |validation| &validation.order_id);
    let stock = Stock::of(heard);
    let fraud = spending(&heard.by_fraud);
    let mut fails: BTreeSet<&str> = BTreeSet::new();
    for (id, order) in &created {
        let spends = i64::from(order.quantity) * order.price_minor > 0;
        let verdicts = [
            ("order-details", Some(order.quantity > 0)),
            ("fraud", if spends { fraud.get(*id).copied() } else { Some(true) }),
            ("inventory", stock.passes.get(*id).copied()),
        ];
        for (check, passes) in verdicts {
            let Some(passes) = passes else {
                found.push(format!("{id} never came to {check}"));
                continue;
            };
            if !passes {
                fails.insert(id);
            }
            let of_order = validations.get(id).into_iter().flatten();
            let said: Vec<CheckResult> = of_order.filter(|said| said.check == check).map(|said| said.result).collect();
            if said != [if passes { CheckResult::Pass } else { CheckResult::Fail }] {
                found.push(format!("{id} was given {said:?} by {check}, and passes: {passes}"));
            }
        }
    }
    for order in log.orders.iter().filter(|order| order.version > 1) {
        let follows = if fails.contains(&*order.id) { OrderState::Failed } else { OrderState::Validated };
        if order.state != follows {
            found.push(format!("{} is {:?}, and {follows:?} follows from its checks", order.id, order.state));
        }
    }
    found.extend(stock.disagreements(levels));
    found.extend(broken_promises(log, levels));
    found
}

/// Whether each order leaves its customer below the limit.
fn spending(heard: &[Order]) -> BTreeMap<&str, bool> {
    let mut spent: BTreeMap<i64, i64> = BTreeMap::new();
    let mut passes = BTreeMap::new();
    for order in heard {
        let sum = spent.entry(order.customer_id).or_default();
        *sum += i64::from(order.quantity) * order.price_minor;
        passes.insert(order.id.as_str(), *sum < LIMIT_MINOR);
    }
    passes
}

#[derive(Debug, Default)]
struct Stock<'a> {
    passes: BTreeMap<&'a str, bool>,
    on_hand: BTreeMap<&'a str, i64>,
    /// By product and order.
    reserved: BTreeMap<&'a str, BTreeMap<&'a str, i64>>,
}

impl<'a> Stock<'a> {
    fn of(heard: &'a Heard) -> Self {
        let mut stock = Self::default();
        for movement in &heard.movements {
            *stock.on_hand.entry(&movement.product).or_default() += movement.quantity;
        }
        for order in &heard.by_inventory {
            let reserved = stock.reserved.entry(&order.product).or_default();
            if order.state != OrderState::Created {
                reserved.remove(order.id.as_str());
            } else if !stock.passes.contains_key(order.id.as_str()) {
                let on_hand = stock.on_hand.get(order.product.as_str()).copied().unwrap_or_default();
                let passes =
                    order.quantity > 0 && reserved.values().sum::<i64>() + i64::from(order.quantity) <= on_hand;
                stock.passes.insert(&order.id, passes);
                if passes {
                    reserved.insert(&order.id, order.quantity.into());
                }
            }
        }
        stock
    }

    fn disagreements(&self, levels: &[StockLevel]) -> Vec<String> {
        let said: BTreeMap<&str, (i64, i64)> =
            levels.iter().map(|level| (level.product.as_str(), (level.on_hand, level.reserved))).collect();
        let reserved = |product: &str| self.reserved.get(product).map_or(0, |orders| orders.values().sum());
        let follows: BTreeMap<&str, (i64, i64)> =
            self.on_hand.iter().map(|(product, on_hand)| (*product, (*on_hand, reserved(product)))).collect();
        let differ = |product: &&&str| said.get(**product) != follows.get(**product);
        let products: BTreeSet<&str> = said.keys().chain(follows.keys()).copied().collect();
        let products: Vec<&&str> = products.iter().filter(differ).collect();
        let tell = |product: &&str| {
            format!("of {product} there are {:?}, and {:?} follow", said.get(*product), follows.get(*product))
        };
        products.into_iter().map(tell).collect()
    }
}

/// The products of which something else is reserved than what inventory has promised to orders that did not fail, or more
/// than there is.
pub fn broken_promises(log: &Log, levels: &[StockLevel]) -> Vec<String> {
    let last: BTreeMap<&str, &StockLevel> = levels.iter().map(|level| (level.product.as_str(), level)).collect();
    let failed: BTreeSet<&str> =
        log.orders.iter().filter(|order| order.state == OrderState::Failed).map(|order| order.id.as_str()).collect();
    let is_promise = |said: &&OrderValidation| said.check == "inventory" && said.result == CheckResult::Pass;
    let promises: BTreeSet<&str> =
        log.validations.iter().filter(is_promise).map(|said| said.order_id.as_str()).collect();
    let mut promised: BTreeMap<&str, i64> = BTreeMap::new();
    for order in log.orders.iter().filter(|order| order.version == 1 && !failed.contains(order.id.as_str())) {
        if promises.contains(order.id.as_str()) {
            *promised.entry(&order.product).or_default() += i64::from(order.quantity);
        }
    }
    let mut found = Vec::new();
    for (product, level) in last {
        let promised = promised.get(product).copied().unwrap_or_default();
        if level.reserved != promised || level.reserved > level.on_hand {
            found.push(format!("{promised} {product} are promised, and the level is {level:?}"));
        }
    }
    found
}

#[cfg(test)]
mod tests;
