use crate::bare::Chain;
use crate::ground::Ground;
use crate::latencies::Latencies;
use crate::pace::Pace;
use crate::report::{Figure, Outcome, Report};

/// How often orders and bare hops take turns.
const ROUNDS: usize = 3;
const MOST_TIMES_THE_BARE_MEDIAN: f64 = 1.5;
const MOST_TIMES_ITS_OWN_MEDIAN: f64 = 3.0;
const LONGEST_COMMIT_MS: f64 = 5.0;

/// Places orders at a low and at a middling rate, in turn with the same number of records through three bare hops.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let mut chain = ground.three_hops("latency")?;
    ground.warm_up_orders("latency")?;
    at(Pace::new(10, 12), ground, &mut chain, report)?;
    at(Pace::new(100, 8), ground, &mut chain, report)?;
    chain.stop()
}

fn at(pace: Pace, ground: &Ground, chain: &mut Chain, report: &mut Report) -> anyhow::Result<()> {
    let (mut orders, mut bare) = (Latencies::default(), Latencies::default());
    let commits = "streams_commit_duration_seconds";
    let before = ground.metrics_of_orders()?.histogram(commits);
    for round in 0..ROUNDS {
        orders.extend(ground.order(pace, &format!("latency-{}-{round}", pace.per_second))?);
        bare.extend(chain.send(pace, &ground.interrupt)?);
    }
    let committed = ground.metrics_of_orders()?.histogram(commits).since(&before);
    let rate = pace.per_second;
    let ratio = orders.median_ms() / bare.median_ms();
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
    let median_ms = committed.median()? * 1000.0;
    report.add(Figure {
        what: format!("median commit of orders at {rate}/s"),
        bar: format!("≤ {LONGEST_COMMIT_MS} ms"),
        value: format!("{median_ms:.1} ms"),
        beside: format!("{} commits, {:.1} an order", committed.count(), committed.count() / orders.count() as f64),
        outcome: Outcome::of(median_ms <= LONGEST_COMMIT_MS),
    });
    Ok(())
}
