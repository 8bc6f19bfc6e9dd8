use crate::appetite::Appetite;
use crate::ground::Ground;
use crate::latencies::{Latencies, median};
use crate::pace::Pace;
use crate::report::{Figure, Outcome, Report, say};
use crate::shop::Journey;

/// Orders per second to begin the search with; 1 500 is among the steps.
const FIRST_RATE: f64 = 491.52;
const STEP: f64 = 1.25;
const STEP_S: u32 = 12;
const MEASURED_S: u32 = 30;
const LEAST_RATE: u32 = 1500;
const LONGEST_MEDIAN_MS: f64 = 1000.0;
/// A backlog that grows shows as orders that take longer and longer: by so many seconds each second, if so large a part of
/// the orders is left behind.
const MOST_LEFT_BEHIND: f64 = 0.02;

/// What happened at one rate.
struct Attempt {
    rate: u32,
    latencies: Latencies,
    /// Seconds that orders took longer with each second.
    growth: f64,
    /// Milliseconds of processor time per order, by process.
    used: Vec<(&'static str, f64)>,
}

/// Raises the rate until orders are left behind, and then holds the highest rate at which none were.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    ground.warm_up_orders("sustained")?;
    let mut rates = Vec::new();
    let mut rate = FIRST_RATE;
    while attempt(ground, rate as u32, STEP_S)?.is_sustained() {
        rates.push(rate as u32);
        rate *= STEP;
    }
    let mut figure = Figure {
        what: "highest rate of orders that all checks keep up with".to_string(),
        bar: format!("≥ {LEAST_RATE}/s"),
        value: format!("below {FIRST_RATE:.0}/s"),
        beside: String::new(),
        outcome: Outcome::Short,
    };
    let mut held = None;
    while let Some(rate) = rates.pop().filter(|_| held.is_none()) {
        held = Some(attempt(ground, rate, MEASURED_S)?).filter(Attempt::is_sustained);
    }
    let Some(held) = held else {
        report.add(figure);
        return Ok(());
    };
    figure.value = format!("{}/s for {MEASURED_S} s", held.rate);
    figure.beside = held.latencies.summary();
    figure.outcome = Outcome::of(held.rate >= LEAST_RATE);
    report.add(figure);
    report.add(Figure::processor_time("at that rate", &held.used));
    Ok(())
}

fn attempt(ground: &Ground, rate: u32, seconds: u32) -> anyhow::Result<Attempt> {
    let pace = Pace::new(rate, seconds);
    let before = Appetite::so_far(ground)?;
    let journeys = ground.shop.journeys(pace, &format!("sustained-{rate}-{seconds}"), &ground.interrupt)?;
    let used = Appetite::so_far(ground)?.per_order_since(&before, pace.starts);
    let attempt = Attempt {
        rate,
        latencies: Latencies::of(journeys.iter().map(Journey::duration)),
        growth: growth(&journeys),
        used,
    };
    let Attempt { latencies, growth, .. } = &attempt;
    say(&format!("  {rate}/s: {}; {growth:+.3} s each second", latencies.summary()));
    Ok(attempt)
}

impl Attempt {
    fn is_sustained(&self) -> bool {
        let Self { latencies, growth, .. } = self;
        latencies.errors == 0 && latencies.median_ms() <= LONGEST_MEDIAN_MS && *growth <= MOST_LEFT_BEHIND
    }
}

/// From the second third of the orders to the last one.
fn growth(journeys: &[Journey]) -> f64 {
    let mut by_start: Vec<&Journey> = journeys.iter().collect();
    by_start.sort_unstable_by_key(|journey| journey.intended);
    let third = by_start.len() / 3;
    let [before, after] = [&by_start[third..2 * third], &by_start[2 * third..3 * third]];
    let seconds = |part: &[&Journey]| median(part.iter().filter_map(|journey| Some(journey.duration()?.as_secs_f64())));
    (seconds(after) - seconds(before)) / (after[0].intended - before[0].intended).as_secs_f64()
}
