use crate::bare::Chain;
use crate::ground::Ground;
use crate::latencies::{Latencies, median};
use crate::pace::Pace;
use crate::prometheus::Metrics;
use crate::report::{Figure, Outcome, Report};

/// How often orders and bare hops take turns.
const ROUNDS: usize = 4;
const MOST_TIMES_THE_BARE_MEDIAN: f64 = 1.5;
const MOST_TIMES_ITS_OWN_MEDIAN: f64 = 3.0;
const LONGEST_COMMIT_MS: f64 = 5.0;

/// Places orders at a low and at a middling rate, in turn with the same number of records through three bare hops.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let mut chain = ground.three_hops("latency")?;
    ground.warm_up_orders("latency")?;
    at(Pace::new(10, 10), ground, &mut chain, report)?;
    at(Pace::new(100, 6), ground, &mut chain, report)?;
    chain.stop()
}

fn at(pace: Pace, ground: &Ground, chain: &mut Chain, report: &mut Report) -> anyhow::Result<()> {
    let (mut orders, mut bare, mut ratios) = (Latencies::default(), Latencies::default(), Vec::new());
    let before = ground.metrics_of_orders()?;
    for round in 0..ROUNDS {
        let of_orders = ground.order(pace, &format!("latency-{}-{round}", pace.per_second))?;
        let of_bare = chain.send(pace, &ground.interrupt)?;
        ratios.push(of_orders.median_ms() / of_bare.median_ms());
        orders.extend(of_orders);
        bare.extend(of_bare);
    }
    let after = ground.metrics_of_orders()?;
    let rate = pace.per_second;
    let ratio = median(ratios);
    report.add(Figure {
        what: format!("POST to VALIDATED at {rate}/s"),
        bar: format!("median ≤ {MOST_TIMES_THE_BARE_MEDIAN} × three bare hops"),
        value: orders.summary(),
        beside: format!("bare: {}; ratio {ratio:.2}", bare.summary()),
        outcome: Outcome::of(ratio <= MOST_TIMES_THE_BARE_MEDIAN && orders.errors + bare.errors == 0),
    });
    let tail = |latencies: &Latencies| latencies.percentile_ms(0.99) / latencies.median_ms();
    report.add(Figure {
        what: format!("its p99 at {rate}/s"),
        bar: if rate == 10 { format!("≤ {MOST_TIMES_ITS_OWN_MEDIAN} × its median") } else { String::new() },
        value: format!("{:.2} × its median", tail(&orders)),
        beside: format!("bare: {:.2} ×", tail(&bare)),
        outcome: if rate == 10 { Outcome::of(tail(&orders) <= MOST_TIMES_ITS_OWN_MEDIAN) } else { Outcome::Told },
    });
    report_commits(&before, &after, &orders, pace, report)
}

/// How long commits took between two looks at what orders tells.
fn report_commits(
    before: &Metrics,
    after: &Metrics,
    orders: &Latencies,
    pace: Pace,
    report: &mut Report,
) -> anyhow::Result<()> {
    const COMMITS: &str = "streams_commit_duration_seconds";
    let commits = after.histogram(COMMITS).since(&before.histogram(COMMITS));
    let total = |metrics: &Metrics| metrics.counter(&format!("{COMMITS}_sum"));
    let median_ms = commits.median()? * 1000.0;
    let mean_ms = (total(after) - total(before)) / commits.count() * 1000.0;
    let per_order = commits.count() / orders.count() as f64;
    report.add(Figure {
        what: format!("median commit of orders at {}/s", pace.per_second),
        bar: format!("≤ {LONGEST_COMMIT_MS} ms"),
        value: format!("{median_ms:.1} ms"),
        beside: format!("mean {mean_ms:.1} ms of {} commits, {per_order:.1} an order", commits.count()),
        outcome: Outcome::of(median_ms <= LONGEST_COMMIT_MS),
    });
    Ok(())
}
