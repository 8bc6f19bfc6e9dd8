use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use local::{Interrupt, Part, Stack};

use crate::journeys::{self, EVENTS_OF_AN_ORDER};
use crate::process::{cpu_time, cpu_time_of_tree, memory_mib};
use crate::prometheus::Metrics;
use crate::report::{Figure, Outcome, Report, doing};

const NUMBER_OF_ORDERS: usize = 60_000;
const LEAST_PER_SECOND: f64 = 20_000.0;
const GIVEN_UP_AFTER: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Writes a log while views are down, and measures how fast they apply it to empty tables.
pub(crate) fn run(interrupt: &Interrupt, report: &mut Report) -> anyhow::Result<()> {
    // The topics of the other checks are those of services that are not started.
    let builder = Stack::builder().only(["views"]).env("views", "CHECKS", "order-details");
    let stack = builder.interrupt(interrupt.clone()).start()?;
    let (views, postgres) = (stack.part("views"), stack.part("postgres"));
    views.stop();
    let events = NUMBER_OF_ORDERS * EVENTS_OF_AN_ORDER;
    doing(&format!("  {events} events are in the log"), || journeys::tell(&stack, NUMBER_OF_ORDERS))?;

    views.start()?;
    let pid = views.pid().context("views run")?;
    let database = postgres.pid().context("postgres runs")?;
    let applied = Applied::by(views)?;
    let first = applied.await_more_than(0.0)?;
    let before = (cpu_time(pid)?, cpu_time_of_tree(database)?);
    let last = applied.await_more_than(f64::from(u32::try_from(events)?) - 1.0)?;
    let after = (cpu_time(pid)?, cpu_time_of_tree(database)?);

    let (number, seconds) = (last.events - first.events, (last.at - first.at).as_secs_f64());
    let rate = number / seconds;
    let share = |used: Duration| used.as_secs_f64() / seconds * 100.0;
    let each = |used: Duration| used.as_secs_f64() * 1e6 / number;
    let (ours, theirs) = (after.0 - before.0, after.1 - before.1);
    report.add(Figure {
        what: format!("{events} events to tables"),
        bar: format!("≥ {LEAST_PER_SECOND} events/s"),
        value: format!("{rate:.0} events/s, {:.0} in a batch", number / (last.batches - first.batches)),
        beside: format!(
            "views {:.0} % of a core, {:.1} µs an event, {:.0} MiB; postgres {:.0} %, {:.1} µs",
            share(ours),
            each(ours),
            memory_mib(pid)?,
            share(theirs),
            each(theirs)
        ),
        outcome: Outcome::of(rate >= LEAST_PER_SECOND),
    });
    Ok(())
}

/// What views say they have applied.
struct Applied {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    admin_url: String,
}

struct Look {
    at: Instant,
    events: f64,
    batches: f64,
}

impl Applied {
    fn by(views: &Part) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let admin_url = views.admin_url().context("a service has an admin port")?;
        Ok(Self { runtime, client: reqwest::Client::new(), admin_url })
    }

    fn await_more_than(&self, events: f64) -> anyhow::Result<Look> {
        let began = Instant::now();
        loop {
            let metrics = self.runtime.block_on(Metrics::fetch(&self.client, &self.admin_url))?;
            let (events_now, batches) = (metrics.counter("views_events_total"), metrics.counter("views_batches_total"));
            if events_now > events {
                return Ok(Look { at: Instant::now(), events: events_now, batches });
            }
            ensure!(began.elapsed() < GIVEN_UP_AFTER, "{events_now} events after {GIVEN_UP_AFTER:?}");
            thread::sleep(BETWEEN_LOOKS);
        }
    }
}
