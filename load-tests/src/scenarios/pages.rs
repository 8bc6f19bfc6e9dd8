use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use local::{Interrupt, Stack};
use serde_json::Value;
use shared_schemas::ORDERS;
use tokio::task::JoinSet;

use crate::bare::Watch;
use crate::latencies::{Latencies, median};
use crate::pace::{Pace, pause};
use crate::process::cpu_time;
use crate::report::{Figure, Outcome, Report};
use crate::shop::Shop;

/// How many pages are open.
const PAGES: usize = 50;
/// How often rounds without a page and with all of them take turns.
const ROUNDS: usize = 3;
const LONGEST_MEDIAN_MS: f64 = 150.0;
const MOST_CPU_PERCENT: f64 = 20.0;
/// By when the last order of a round is on the page.
const SHOWN_WITHIN: Duration = Duration::from_secs(20);

/// Places orders through the whole chain, in turn with no page open and with fifty.
pub(crate) fn run(interrupt: &Interrupt, report: &mut Report) -> anyhow::Result<()> {
    let parts = ["orders", "order-details", "fraud", "inventory", "views"];
    let site = Site::of(Stack::builder().only(parts).interrupt(interrupt.clone()).start()?)?;
    // The broker's compiler is busy with its first thousands of transactions.
    site.shop.order(Pace::new(200, 25), "warm-up", interrupt)?;

    let (mut latencies, mut without, mut with) = (Latencies::default(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        without.push(site.round(0, &format!("alone-{round}"), interrupt)?.1);
        let (shown, percent) = site.round(PAGES, &format!("shown-{round}"), interrupt)?;
        latencies.extend(shown);
        with.push(percent);
    }
    report.add(Figure {
        what: "an order's new state, committed to shown on a page, at 100/s".to_string(),
        bar: format!("median ≤ {LONGEST_MEDIAN_MS} ms"),
        value: latencies.summary(),
        beside: String::new(),
        outcome: Outcome::of(latencies.median_ms() <= LONGEST_MEDIAN_MS && latencies.errors == 0),
    });
    let (without, with) = (median(without), median(with));
    report.add(Figure {
        what: format!("views with {PAGES} open pages at 100/s"),
        bar: format!("≤ {MOST_CPU_PERCENT} % of a core for the pages"),
        value: format!("{:.1} %", with - without),
        beside: format!("with pages {with:.1} %, without {without:.1} %"),
        outcome: Outcome::of(with - without <= MOST_CPU_PERCENT),
    });
    Ok(())
}

struct Site {
    shop: Shop,
    views_url: String,
    views_pid: u32,
    bootstrap: String,
    _stack: Stack,
}

/// When an order was first seen with its verdict, in milliseconds since 1970, by its id.
type Seen = Arc<Mutex<HashMap<String, i64>>>;

impl Site {
    fn of(stack: Stack) -> anyhow::Result<Self> {
        let addresses = stack.addresses();
        let url = |service: &str| {
            let mut instances = addresses.services.iter().filter(|instance| instance.service == service);
            instances.find_map(|instance| instance.url.clone()).with_context(|| format!("{service} has a URL"))
        };
        Ok(Self {
            shop: Shop::at(vec![url("orders")?])?,
            views_url: url("views")?,
            views_pid: stack.part("views").pid().context("views runs")?,
            bootstrap: addresses.kafka_bootstrap.clone(),
            _stack: stack,
        })
    }

    /// Places orders with so many pages open; how long each verdict took from its commit to the first of them, and what part
    /// of a core views has used, in percent.
    fn round(&self, pages: usize, label: &str, interrupt: &Interrupt) -> anyhow::Result<(Latencies, f64)> {
        let readers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let seen = Seen::default();
        let mut open = JoinSet::new();
        for number in 0..pages {
            let seen = (number == 0).then(|| seen.clone());
            let page = readers.block_on(reqwest::get(format!("{}/v1/changes", self.views_url)))?.error_for_status()?;
            open.spawn_on(read(page, seen), readers.handle());
        }
        let watch = Watch::start(&self.bootstrap, |topic| topic == ORDERS.name())?;
        let (began, before) = (Instant::now(), cpu_time(self.views_pid)?);
        let journeys = self.shop.journeys(Pace::new(100, 10), label, interrupt)?;
        let percent = (cpu_time(self.views_pid)? - before).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
        ensure!(journeys.iter().all(|journey| journey.verdict.is_some()), "some orders came to no good end");

        let mut committed = HashMap::new();
        for record in watch.stop()? {
            // The last one is the verdict.
            committed.extend(record.processed_at_ms.map(|at| (record.key, at)));
        }
        let shown_by = Instant::now() + SHOWN_WITHIN;
        let are_shown = || pages == 0 || locked(&seen).len() >= journeys.len();
        while !are_shown() {
            ensure!(Instant::now() < shown_by && open.try_join_next().is_none(), "a page has missed some orders");
            pause(interrupt, Duration::from_millis(20))?;
        }
        let seen = locked(&seen);
        let latency = |(id, shown): (&String, &i64)| {
            Some(Duration::from_millis(u64::try_from(shown - committed.get(id)?).unwrap_or(0)))
        };
        Ok((Latencies::of(seen.iter().map(latency)), percent))
    }
}

fn locked(seen: &Seen) -> MutexGuard<'_, HashMap<String, i64>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what a page is told, and notes when it shows a verdict if somebody wants to know.
async fn read(mut page: reqwest::Response, seen: Option<Seen>) -> anyhow::Result<()> {
    let mut received = Vec::new();
    while let Some(chunk) = page.chunk().await? {
        let Some(seen) = &seen else { continue };
        received.extend_from_slice(&chunk);
        while let Some(end) = received.windows(2).position(|pair| pair == b"\n\n") {
            note(std::str::from_utf8(&received[..end])?, seen)?;
            received.drain(..end + 2);
        }
    }
    Ok(())
}

fn note(event: &str, seen: &Seen) -> anyhow::Result<()> {
    ensure!(!event.starts_with("event: reset"), "the page was reset");
    let Some((_, data)) = event.split_once("\ndata: ") else { return Ok(()) };
    let data: Value = serde_json::from_str(data)?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    for order in data["orders"].as_array().into_iter().flatten().filter(|order| order["state"] != "CREATED") {
        let id = order["id"].as_str().context("an order has an id")?;
        locked(seen).entry(id.to_string()).or_insert(now);
    }
    Ok(())
}
