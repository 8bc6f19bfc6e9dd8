use std::collections::{BTreeMap, BTreeSet};

use shared_schemas::{CheckResult, Order, OrderState, OrderValidation};

/// What the topics say after the event: each in the order of its partitions.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The ids in the journal of requests.
    pub requested: BTreeSet<String>,
    pub orders: Vec<Order>,
    pub validations: Vec<OrderValidation>,
}

/// Every way in which a log is not what it must be, whatever broke while it was written; none if it is.
///
/// `acknowledged` are the orders somebody was told would be seen to, with the verdict they deserve. Others may exist or
/// not; if they do, they are held to the same.
pub fn violations(acknowledged: &BTreeMap<String, OrderState>, checks: &[&str], log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    let versions = grouped(&log.orders, |order| &order.id);
    let validations = grouped(&log.validations, |validation| &validation.order_id);

    for (id, deserved) in acknowledged {
        if !log.requested.contains(id) {
            found.push(format!("{id} was acknowledged, and is not in the journal"));
        }
        match versions.get(id.as_str()).and_then(|versions| versions.get(1)) {
            None if versions.contains_key(id.as_str()) => {
                found.push(format!("{id} was acknowledged, and got no verdict"))
            }
            None => found.push(format!("{id} was acknowledged, and is lost")),
            Some(verdict) if verdict.state == *deserved => {}
            Some(verdict) => found.push(format!("{id} deserved {deserved:?}, and is {:?}", verdict.state)),
        }
    }
    for (id, versions) in &versions {
        if !log.requested.contains(*id) {
            found.push(format!("{id} was never requested"));
        }
        found.extend(in_life(versions).into_iter().map(|what| format!("{id} {what}")));
        let validations = validations.get(id).map_or(&[][..], Vec::as_slice);
        found.extend(in_judgement(validations, versions, checks).into_iter().map(|what| format!("{id} {what}")));
    }
    let unknown = validations.keys().filter(|id| !versions.contains_key(*id));
    found.extend(unknown.map(|id| format!("{id} was validated, and does not exist")));
    found.extend(
        log.requested
            .iter()
            .filter(|id| !versions.contains_key(id.as_str()))
            .map(|id| format!("{id} is in the journal, and was not created")),
    );
    found
}

/// What is wrong with the versions of one order: CREATED, then the verdict, and nothing else.
fn in_life(versions: &[&Order]) -> Vec<String> {
    let mut found = Vec::new();
    let numbers: Vec<i32> = versions.iter().map(|order| order.version).collect();
    if numbers != [1, 2] {
        found.push(format!("has the versions {numbers:?}"));
    }
    let states: Vec<OrderState> = versions.iter().map(|order| order.state).collect();
    if !matches!(states[..], [OrderState::Created, OrderState::Validated | OrderState::Failed]) {
        found.push(format!("went through {states:?}"));
    }
    if versions.windows(2).any(|pair| facts(pair[0]) != facts(pair[1])) {
        found.push("is not the same order in all its versions".to_string());
    }
    found
}

/// What is wrong with the validations of one order: one of each check, and the verdict follows from them.
fn in_judgement(validations: &[&OrderValidation], versions: &[&Order], checks: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for check in checks {
        let count = validations.iter().filter(|validation| validation.check == *check).count();
        if count != 1 {
            found.push(format!("has {count} validations by {check}"));
        }
    }
    let fails = validations.iter().any(|validation| validation.result != CheckResult::Pass);
    let follows = if fails { OrderState::Failed } else { OrderState::Validated };
    if versions.get(1).is_some_and(|verdict| verdict.state != follows) {
        found.push(format!("was given another verdict than the {follows:?} its validations give"));
    }
    found
}

/// What never changes in an order's life.
fn facts(order: &Order) -> (i64, &str, i32, i64, &str) {
    (order.customer_id, &order.product, order.quantity, order.price_minor, &order.currency)
}

pub(crate) fn grouped<V>(values: &[V], id: fn(&V) -> &String) -> BTreeMap<&str, Vec<&V>> {
    let mut groups: BTreeMap<&str, Vec<&V>> = BTreeMap::new();
    for value in values {
        groups.entry(id(value)).or_default().push(value);
    }
    groups
}

#[cfg(test)]
mod tests;
