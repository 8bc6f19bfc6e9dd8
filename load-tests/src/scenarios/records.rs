use std::collections::BTreeMap;

use anyhow::ensure;
use shared_schemas::{ORDER_REQUESTS, ORDERS, WAREHOUSE_INVENTORY};

use crate::bare::Watch;
use crate::commits::Moment;
use crate::ground::Ground;
use crate::pace::Pace;
use crate::report::{Figure, Outcome, Report};

const PACE: Pace = Pace { per_second: 500, starts: 10_000 };
const MOST_RECORDS: f64 = 16.0;

/// Counts what is committed in all topics while orders are placed, and the transactions it takes.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    ground.warm_up_orders("records")?;
    let rate = PACE.per_second;
    let before = Moment::of(ground)?;
    let watch = Watch::start(&ground.bootstrap, |_| true)?;
    let latencies = ground.order(PACE, "records")?;
    let seen = watch.stop()?;
    let after = Moment::of(ground)?;
    ensure!(latencies.errors == 0, "{} orders were not answered", latencies.errors);
    let mut topics: BTreeMap<String, usize> = BTreeMap::new();
    for record in &seen {
        *topics.entry(record.topic.clone()).or_default() += 1;
    }
    let per_order = |count: f64| count / f64::from(PACE.starts);
    let all = per_order(seen.len() as f64);
    let transactions: Vec<String> = before
        .until(&after)
        .map(|(service, commits)| format!("{service} {:.2}", per_order(commits.durations.count())))
        .collect();
    report.add(Figure {
        what: format!("data records per order at {rate}/s"),
        bar: format!("≤ {MOST_RECORDS}"),
        value: format!("{all:.2}"),
        beside: format!("transactions per order: {}; {}", transactions.join(", "), latencies.summary()),
        outcome: Outcome::of(all <= MOST_RECORDS),
    });
    for (topic, count) in topics {
        report.add(Figure {
            what: format!("of these in `{topic}`"),
            bar: String::new(),
            value: format!("{:.2}", per_order(count as f64)),
            beside: purpose(&topic).to_string(),
            outcome: Outcome::Told,
        });
    }
    Ok(())
}

/// What the records of a topic are for.
fn purpose(topic: &str) -> &'static str {
    let is = |name: &str| topic == name;
    if is(ORDER_REQUESTS.name()) {
        "what was asked for, before anything is decided"
    } else if is(ORDERS.name()) {
        "the order as CREATED, and again with its verdict"
    } else if is(WAREHOUSE_INVENTORY.name()) {
        "the level of a product, once a transaction; what the store of levels is restored from"
    } else if topic.ends_with("-repartition") {
        "the created order, sent to where its customer or product is known"
    } else if topic.ends_with("-changelog") {
        "what a store is restored from: an entry for each key a transaction changes"
    } else {
        "the verdict of a check"
    }
}
