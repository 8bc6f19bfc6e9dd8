use crate::bare::Chain;
use crate::commits::Commits;
use crate::ground::Ground;
use crate::latencies::Latencies;
use crate::pace::Pace;
use crate::prometheus::Metrics;
use crate::report::{Figure, Outcome, Report};
use crate::turns::Turns;

/// How often orders and bare hops take turns.
const ROUNDS: usize = 4;
const MOST_TIMES_THE_BARE_MEDIAN: f64 = 1.5;
const MOST_TIMES_ITS_OWN_MEDIAN: f64 = 3.0;
const LONGEST_COMMIT_MS: f64 = 5.0;

/// Places orders at a low and at a middling rate, in turn with the same number of records through three bare hops.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let mut chain = ground.bare_hops("latency")?;
    ground.warm_up_orders("latency")?;
    at(Pace::new(10, 10), ground, &mut chain, report)?;
    at(Pace::new(100, 6), ground, &mut chain, report)?;
    chain.stop()
}

fn at(pace: Pace, ground: &Ground, chain: &mut Chain, report: &mut Report) -> anyhow::Result<()> {
    let before = ground.metrics_of_orders()?;
    let turns = Turns::take(ground, chain, pace, ROUNDS, "latency")?;
    let after = ground.metrics_of_orders()?;
    let Turns { orders, bare, ratio } = &turns;
    let rate = pace.per_second;
    report.add(Figure {
        what: format!("POST to VALIDATED at {rate}/s"),
        bar: format!("median ≤ {MOST_TIMES_THE_BARE_MEDIAN} × three bare hops"),
        value: orders.summary(),
        beside: format!("bare: {}; ratio {ratio:.2}", bare.summary()),
        outcome: Outcome::of(*ratio <= MOST_TIMES_THE_BARE_MEDIAN && turns.errors() == 0),
    });
    report.add(Figure {
        what: format!("its p99 at {rate}/s"),
        bar: if rate == 10 { format!("≤ {MOST_TIMES_ITS_OWN_MEDIAN} × its median") } else { String::new() },
        value: format!("{:.2} × its median", orders.tail()),
        beside: format!("bare: {:.2} ×", bare.tail()),
        outcome: if rate == 10 { Outcome::of(orders.tail() <= MOST_TIMES_ITS_OWN_MEDIAN) } else { Outcome::Told },
    });
    report_commits(&before, &after, orders, pace, report)
}

/// How long commits took between two looks at what orders tells.
fn report_commits(
    before: &Metrics,
    after: &Metrics,
    orders: &Latencies,
    pace: Pace,
    report: &mut Report,
) -> anyhow::Result<()> {
    let Commits { durations, mean_ms } = Commits::between(before, after);
    let median_ms = durations.median()? * 1000.0;
    let per_order = durations.count() / orders.count() as f64;
    report.add(Figure {
        what: format!("median commit of orders at {}/s", pace.per_second),
        bar: format!("≤ {LONGEST_COMMIT_MS} ms"),
        value: format!("{median_ms:.1} ms"),
        beside: format!("mean {mean_ms:.1} ms of {} commits, {per_order:.1} an order", durations.count()),
        outcome: Outcome::of(median_ms <= LONGEST_COMMIT_MS),
    });
    Ok(())
}
