use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::ground::Ground;
use crate::latencies::{Latencies, median};
use crate::members::await_shares;
use crate::pace::{Pace, pause};
use crate::report::{Figure, Outcome, Report};
use crate::shop::{Journey, Shop};

const ROUNDS: usize = 3;
const PACE: Pace = Pace { per_second: 50, starts: 450 };
/// Before and between the changes, with orders coming.
const QUIET: Duration = Duration::from_millis(1500);
/// How long a change still counts after its command has returned.
const AFTERMATH: Duration = Duration::from_secs(1);
const LONGEST_GAP_S: f64 = 1.0;

/// A change of the number of instances, from the command to its end.
struct Change {
    begin: Instant,
    end: Instant,
}

/// What a round has seen, in seconds: the longest that any order took.
struct Gaps {
    leaving: f64,
    coming: f64,
    /// While nothing changed.
    otherwise: f64,
}

/// Lets an instance of each service leave and come back, while orders are placed through the one that stays.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    ground.warm_up_orders("scale")?;
    for service in ["orders", "order-details"] {
        let mut gaps = Vec::new();
        for round in 0..ROUNDS {
            gaps.push(leave_and_come(ground, service, round)?);
        }
        let otherwise = gaps.iter().map(|gaps| gaps.otherwise).fold(0.0, f64::max);
        let of = |what: &str, gap: fn(&Gaps) -> f64| {
            let worst = gaps.iter().map(gap).fold(0.0, f64::max);
            Figure {
                what: format!("longest gap any order sees when an instance of {service} {what}"),
                bar: format!("≤ {LONGEST_GAP_S} s"),
                value: format!("worst {worst:.2} s, median {:.2} s of {ROUNDS}", median(gaps.iter().map(gap))),
                beside: format!("longest without a change: {otherwise:.2} s"),
                outcome: Outcome::of(worst <= LONGEST_GAP_S),
            }
        };
        report.add(of("leaves", |gaps| gaps.leaving));
        report.add(of("is added", |gaps| gaps.coming));
    }
    Ok(())
}

fn leave_and_come(ground: &Ground, service: &str, round: usize) -> anyhow::Result<Gaps> {
    await_shares(ground, service)?;
    let instance = ground.instance(service, 1);
    let customers = Shop::at(vec![ground.instance("orders", 0).url().context("orders speaks HTTP")?])?;
    let label = format!("scale-{service}-{round}");
    let (journeys, leaving, coming) = thread::scope(|scope| {
        let orders = scope.spawn(|| customers.journeys(PACE, &label, &ground.interrupt));
        pause(&ground.interrupt, QUIET)?;
        let leaving = Change::of(|| {
            instance.leave()?;
            instance.stop();
            Ok(())
        })?;
        pause(&ground.interrupt, AFTERMATH + QUIET)?;
        let coming = Change::of(|| Ok(instance.start()?))?;
        let journeys = orders.join().map_err(|_| anyhow::Error::msg("the customers panicked"))??;
        anyhow::Ok((journeys, leaving, coming))
    })?;
    let last = journeys.iter().map(|journey| journey.intended).max().context("orders were placed")?;
    ensure!(coming.end + AFTERMATH <= last, "the changes took longer than the orders came");
    let longest = |during: &dyn Fn(&Journey) -> bool| {
        let latencies = Latencies::of(journeys.iter().filter(|journey| during(journey)).map(Journey::duration));
        ensure!(latencies.errors == 0, "{} orders were not answered", latencies.errors);
        Ok(latencies.percentile_ms(1.0) / 1000.0)
    };
    Ok(Gaps {
        leaving: longest(&|journey| leaving.is_seen_by(journey))?,
        coming: longest(&|journey| coming.is_seen_by(journey))?,
        otherwise: longest(&|journey| !leaving.is_seen_by(journey) && !coming.is_seen_by(journey))?,
    })
}

impl Change {
    fn of(command: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let begin = Instant::now();
        command()?;
        Ok(Self { begin, end: Instant::now() })
    }

    /// Whether an order was under way while it lasted.
    fn is_seen_by(&self, journey: &Journey) -> bool {
        let is_over = journey.verdict.is_some_and(|verdict| verdict < self.begin);
        journey.intended <= self.end + AFTERMATH && !is_over
    }
}
