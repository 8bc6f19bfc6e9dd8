use anyhow::Context;

use crate::ground::Ground;
use crate::latencies::Latencies;
use crate::pace::Pace;
use crate::prometheus::Histogram;
use crate::report::{Figure, Outcome, Report, say};

/// Orders per second to begin the search with, far from the ceiling.
const FIRST_RATE: f64 = 400.0;
const STEP: f64 = 1.25;
const STEP_S: u32 = 5;
/// A rate is sustained if nine of ten orders have their verdict within this.
const LONGEST_P90_MS: f64 = 500.0;
const PART_OF_CEILING: f64 = 0.7;
const MEASURED_S: u32 = 60;

/// What all instances of all services have counted so far.
struct Counted {
    rebuilds: f64,
    aborts: f64,
    end_transactions: Histogram,
}

/// Raises the rate until orders are late, and then places them at 0.7 of the highest rate that was sustained.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    ground.warm_up_orders("rebuilds")?;
    let (ceiling, at_ceiling) = ceiling(ground)?;
    report.add(Figure {
        what: "highest rate of orders with two instances of each service".to_string(),
        bar: String::new(),
        value: format!("{ceiling}/s"),
        beside: at_ceiling.summary(),
        outcome: Outcome::Told,
    });
    let rate = (f64::from(ceiling) * PART_OF_CEILING) as u32;
    let before = counted(ground)?;
    let latencies = ground.order(Pace::new(rate, MEASURED_S), "rebuilds")?;
    let after = counted(ground)?;
    let (rebuilds, aborts) = (after.rebuilds - before.rebuilds, after.aborts - before.aborts);
    report.add(Figure {
        what: format!("producers rebuilt in {MEASURED_S} s at {PART_OF_CEILING} × that rate, {rate}/s"),
        bar: "0".to_string(),
        value: format!("{rebuilds}"),
        beside: format!("epochs aborted: {aborts}; {}", latencies.summary()),
        outcome: Outcome::of(rebuilds == 0.0 && latencies.errors == 0),
    });
    let ends = after.end_transactions.since(&before.end_transactions);
    report.add(Figure {
        what: "its EndTxn".to_string(),
        bar: String::new(),
        value: format!("median {:.1} ms, p99 {:.0} ms", ends.median()? * 1000.0, ends.percentile(0.99)? * 1000.0),
        beside: format!("of {}; a producer is rebuilt above 375 ms", ends.count()),
        outcome: Outcome::Told,
    });
    Ok(())
}

/// The highest rate that was sustained, and how orders did.
fn ceiling(ground: &Ground) -> anyhow::Result<(u32, Latencies)> {
    let mut rate = FIRST_RATE;
    let mut sustained = None;
    loop {
        let latencies = ground.order(Pace::new(rate as u32, STEP_S), &format!("ceiling-{rate:.0}"))?;
        say(&format!("  {rate:.0}/s: {}", latencies.summary()));
        if latencies.errors > 0 || latencies.percentile_ms(0.9) > LONGEST_P90_MS {
            return sustained.with_context(|| format!("not even {FIRST_RATE} orders a second are sustained"));
        }
        sustained = Some((rate as u32, latencies));
        rate *= STEP;
    }
}

/// What all instances tell.
fn counted(ground: &Ground) -> anyhow::Result<Counted> {
    let mut all: Option<Counted> = None;
    for instance in ground.instances() {
        let metrics = ground.metrics_of(instance)?;
        let counted = Counted {
            rebuilds: metrics.counter("streams_producer_rebuilds_total"),
            aborts: metrics.counter("streams_aborts_total"),
            end_transactions: metrics.histogram("streams_end_transaction_duration_seconds"),
        };
        all = Some(match all {
            None => counted,
            Some(others) => Counted {
                rebuilds: others.rebuilds + counted.rebuilds,
                aborts: others.aborts + counted.aborts,
                end_transactions: others.end_transactions.plus(&counted.end_transactions),
            },
        });
    }
    all.context("a stack with services")
}
