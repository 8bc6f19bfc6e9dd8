use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use local::Interrupt;

use crate::appetite::Appetite;
use crate::collector::Collector;
use crate::ground::{Checks, Ground, Instances};
use crate::latencies::median;
use crate::pace::Pace;
use crate::report::{Figure, Outcome, Report, say};
use crate::shop::Shop;

/// Well below what the machine can do: processor time for an order is then the same in every round, while a ceiling is found
/// by steps of a quarter. On two cores it is what the ceiling follows from.
const PACE: Pace = Pace { per_second: 300, starts: 3000 };
const ROUNDS: usize = 6;
const WARM_UP: u32 = 5000;
const MOST_FOR_TRACES: f64 = 0.15;
const MOST_FOR_METRICS: f64 = 0.03;
/// A Prometheus asks every 15 s; what that costs is hard to tell from nothing.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);

/// Places orders in traces that are sampled and in traces that are not, in turn, with services that tell a collector; then the
/// same while all that they measure is asked for.
pub(crate) fn run(interrupt: &Interrupt, report: &mut Report) -> anyhow::Result<()> {
    let collector = Collector::listening()?;
    let told = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.clone())];
    let ground = Ground::prepare_with(interrupt.clone(), WARM_UP, Checks::All, Instances::One, &told)?;
    let (sampled, unsampled) = (ground.shop.traced(true)?, ground.shop.traced(false)?);
    round(&ground, &sampled, "tracing-warm-up")?;

    let (mut ratios, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        without.push(round(&ground, &unsampled, &format!("unsampled-{number}"))?);
        let before = collector.bytes();
        with.push(round(&ground, &sampled, &format!("sampled-{number}"))?);
        ensure!(collector.bytes() > before, "the collector was told nothing");
        ratios.push(with[number] / without[number]);
    }
    let beside = format!("{:.2} ms beside {:.2} ms", median(with), median(without.clone()));
    add(report, "traces of all orders told", MOST_FOR_TRACES, &ratios, beside);

    let (mut ratios, mut scraped) = (Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        without.push(round(&ground, &unsampled, &format!("unscraped-{number}"))?);
        scraped.push(while_scraped(&ground, || round(&ground, &unsampled, &format!("scraped-{number}")))?);
        ratios.push(scraped[number] / without[ROUNDS + number]);
    }
    let beside = format!("{:.2} ms, asked for every {} s", median(scraped), SCRAPE_INTERVAL.as_secs());
    add(report, "metrics asked for", MOST_FOR_METRICS, &ratios, beside);
    report.add(Figure {
        what: "bytes logged by all services for an order".to_string(),
        bar: "0".to_string(),
        value: format!("{:.1}", logged_per_order(&ground, &unsampled)?),
        beside: String::new(),
        outcome: Outcome::Told,
    });
    Ok(())
}

fn add(report: &mut Report, what: &str, most: f64, ratios: &[f64], beside: String) {
    let more = median(ratios.iter().copied()) - 1.0;
    report.add(Figure {
        what: format!("processor time per order at {}/s, {what}", PACE.per_second),
        bar: format!("≤ {:.0} % more", most * 100.0),
        value: format!("{:+.1} %", more * 100.0),
        beside,
        outcome: Outcome::of(more <= most),
    });
}

/// Milliseconds of processor time per order of broker and services.
fn round(ground: &Ground, shop: &Shop, label: &str) -> anyhow::Result<f64> {
    let before = Appetite::so_far(ground)?;
    let latencies = shop.order(PACE, label, &ground.interrupt)?;
    ensure!(latencies.errors == 0, "{} orders failed", latencies.errors);
    let used = Appetite::so_far(ground)?.per_order_since(&before, PACE.starts);
    let total = used.iter().filter(|(process, _)| *process != "driver").map(|(_, time)| time).sum();
    let each: Vec<String> = used.iter().map(|(process, time)| format!("{process} {time:.3}")).collect();
    say(&format!("  {label}: {total:.3} ms, {}; {}", each.join(", "), latencies.summary()));
    Ok(total)
}

/// Asks every service for its metrics, again and again, until the work is done.
fn while_scraped<T>(ground: &Ground, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let urls = ground.instances().into_iter().filter_map(|part| ground.stack.part(part).admin_url());
    let urls: Vec<String> = urls.map(|url| format!("{url}/metrics")).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let scraper = scope.spawn(|| -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let client = reqwest::Client::builder().no_proxy().build()?;
            while !is_over.load(Ordering::Acquire) {
                for url in &urls {
                    runtime.block_on(async { client.get(url).send().await?.error_for_status()?.bytes().await })?;
                }
                thread::sleep(SCRAPE_INTERVAL);
            }
            Ok(())
        });
        let done = work();
        is_over.store(true, Ordering::Release);
        scraper.join().map_err(|_| anyhow::Error::msg("the scraper panicked"))??;
        done
    })
}

fn logged_per_order(ground: &Ground, shop: &Shop) -> anyhow::Result<f64> {
    let logged = || -> anyhow::Result<u64> {
        let parts = ground.instances().into_iter().map(|part| ground.stack.part(part).log_path());
        parts.map(|path| Ok(std::fs::metadata(path)?.len())).sum()
    };
    let before = logged()?;
    round(ground, shop, "logged")?;
    Ok((logged()? - before) as f64 / f64::from(PACE.starts))
}
