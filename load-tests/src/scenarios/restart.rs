use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use streams::DEFAULT_PARTITIONS;
use streams_kafka::partition_of;

use crate::ground::Ground;
use crate::latencies::median;
use crate::members::await_shares;
use crate::pace::{Pace, pause};
use crate::report::{Figure, Outcome, Report};
use crate::shop::Shop;

/// Each of the two instances is killed so often.
const RESTARTS: usize = 3;
const PER_SECOND: u32 = 50;
const KILLED_AFTER: Duration = Duration::from_millis(500);
const LONGEST_RESTART_S: f64 = 3.0;
/// The session timeout of the services, and what the takeover may take after it.
const LONGEST_TAKEOVER_S: f64 = 10.0 + 3.0;

/// What becomes of an instance that was killed.
#[derive(Clone, Copy, Debug)]
enum Fate {
    IsStartedAgain,
    StaysAway,
}

/// Kills instances while orders are placed, and takes the time until there are verdicts again on what was theirs.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    ground.warm_up_orders("restart")?;
    for service in ["orders", "order-details"] {
        let mut seconds = Vec::new();
        for round in 0..2 * RESTARTS {
            seconds.push(without_verdicts(ground, service, round, Fate::IsStartedAgain)?);
        }
        let middle = median(seconds.iter().copied());
        report.add(Figure {
            what: format!("next verdict after kill -9 of an instance of {service} that is started again"),
            bar: format!("median ≤ {LONGEST_RESTART_S} s"),
            value: format!("median {middle:.2} s, worst {:.2} s of {}", worst(&seconds), seconds.len()),
            beside: String::new(),
            outcome: Outcome::of(middle <= LONGEST_RESTART_S),
        });
        let seconds = [
            without_verdicts(ground, service, 2 * RESTARTS, Fate::StaysAway)?,
            without_verdicts(ground, service, 2 * RESTARTS + 1, Fate::StaysAway)?,
        ];
        report.add(Figure {
            what: format!("the same of an instance of {service} that stays away"),
            bar: format!("≤ {LONGEST_TAKEOVER_S} s"),
            value: format!("{:.2} s, {:.2} s", seconds[0], seconds[1]),
            beside: "session timeout: 10 s".to_string(),
            outcome: Outcome::of(worst(&seconds) <= LONGEST_TAKEOVER_S),
        });
    }
    Ok(())
}

/// Seconds from the kill of an instance until each of its partitions has given a verdict on an order that was placed
/// after it.
fn without_verdicts(ground: &Ground, service: &str, round: usize, fate: Fate) -> anyhow::Result<f64> {
    let slot = round % 2;
    let share = &await_shares(ground, service)?[slot];
    let victim = ground.instance(service, slot);
    // Whoever is connected to an instance that is killed goes to the other.
    let through = ground.instance("orders", if service == "orders" { 1 - slot } else { slot });
    let customers = Shop::at(vec![through.url().context("orders speaks HTTP")?])?;
    let pace = match fate {
        Fate::IsStartedAgain => Pace::new(PER_SECOND, 3),
        Fate::StaysAway => Pace::new(PER_SECOND, 12),
    };
    let label = format!("restart-{service}-{round}");
    let (journeys, killed) = thread::scope(|scope| {
        let orders = scope.spawn(|| customers.journeys(pace, &label, &ground.interrupt));
        pause(&ground.interrupt, KILLED_AFTER)?;
        let killed = Instant::now();
        victim.kill();
        if let Fate::IsStartedAgain = fate {
            victim.start()?;
        }
        let journeys = orders.join().map_err(|_| anyhow::Error::msg("the customers panicked"))??;
        if let Fate::StaysAway = fate {
            victim.start()?;
        }
        anyhow::Ok((journeys, killed))
    })?;
    let unanswered = journeys.iter().filter(|journey| journey.verdict.is_none()).count();
    ensure!(unanswered == 0, "{unanswered} orders were not answered");
    let first_verdict = |partition: &i32| {
        let after = journeys.iter().filter(|journey| journey.intended >= killed);
        let here = after.filter(|journey| partition_of(&journey.id, DEFAULT_PARTITIONS) == *partition);
        here.filter_map(|journey| journey.verdict).min().context("no order of a partition")
    };
    let verdicts = share.iter().map(first_verdict).collect::<anyhow::Result<Vec<Instant>>>()?;
    let last = verdicts.into_iter().max().context("an instance with partitions")?;
    Ok((last - killed).as_secs_f64())
}

fn worst(seconds: &[f64]) -> f64 {
    seconds.iter().copied().fold(0.0, f64::max)
}
