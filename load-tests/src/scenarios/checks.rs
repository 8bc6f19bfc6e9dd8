use crate::bare::Chain;
use crate::ground::Ground;
use crate::journaled;
use crate::latencies::Latencies;
use crate::pace::Pace;
use crate::report::{Figure, Outcome, Report};
use crate::turns::Turns;

/// Orders a second, seconds of a round, rounds, and the longest median in milliseconds.
const RATES: [(u32, u32, usize, f64); 3] = [(10, 10, 4, 25.0), (100, 6, 4, 30.0), (500, 6, 2, 50.0)];
/// Up to this rate the tail and the bare hops count.
const MIDDLING_RATE: u32 = 100;
const MOST_TIMES_THE_BARE_MEDIAN: f64 = 1.7;
const MOST_TIMES_ITS_OWN_MEDIAN: f64 = 4.0;
/// How many products there are where it is not one that everybody wants.
const PRODUCTS: usize = 1000;

/// Places orders at three rates, in turn with the same number of records through four bare hops. All are for one product,
/// the worst case for who counts the stock; at the end orders for many stand beside.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let mut chain = ground.bare_hops("checks")?;
    ground.warm_up_orders("checks")?;
    for (per_second, seconds, rounds, longest_ms) in RATES {
        at(Pace::new(per_second, seconds), rounds, longest_ms, ground, &mut chain, report)?;
    }
    chain.stop()?;
    many_products(ground, report)
}

fn at(
    pace: Pace,
    rounds: usize,
    longest_ms: f64,
    ground: &Ground,
    chain: &mut Chain,
    report: &mut Report,
) -> anyhow::Result<()> {
    let rate = pace.per_second;
    let is_middling = rate <= MIDDLING_RATE;
    let turns = Turns::take(ground, chain, pace, rounds, "checks")?;
    let Turns { orders, bare, ratio } = &turns;
    report.add(Figure {
        what: format!("POST to VALIDATED by all checks at {rate}/s"),
        bar: format!("median ≤ {longest_ms} ms"),
        value: orders.summary(),
        beside: format!("bare: {}", bare.summary()),
        outcome: Outcome::of(orders.median_ms() <= longest_ms && turns.errors() == 0),
    });
    let told_or = |passes| if is_middling { Outcome::of(passes) } else { Outcome::Told };
    let bar = |text: String| if is_middling { text } else { String::new() };
    report.add(Figure {
        what: format!("the same at {rate}/s beside four bare hops"),
        bar: bar(format!("≤ {MOST_TIMES_THE_BARE_MEDIAN} × their median")),
        value: format!("{ratio:.2} × their median"),
        beside: String::new(),
        outcome: told_or(*ratio <= MOST_TIMES_THE_BARE_MEDIAN),
    });
    report.add(Figure {
        what: format!("its p99 at {rate}/s"),
        bar: bar(format!("≤ {MOST_TIMES_ITS_OWN_MEDIAN} × its median")),
        value: format!("{:.2} × its median", orders.tail()),
        beside: format!("bare: {:.2} ×", bare.tail()),
        outcome: told_or(orders.tail() <= MOST_TIMES_ITS_OWN_MEDIAN),
    });
    Ok(())
}

fn many_products(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let customers = ground.shop.with_products(journaled::products(ground, PRODUCTS)?)?;
    for (per_second, seconds, rounds, _) in RATES.into_iter().skip(1) {
        let mut latencies = Latencies::default();
        for round in 0..rounds {
            let label = format!("many-products-{per_second}-{round}");
            latencies.extend(customers.order(Pace::new(per_second, seconds), &label, &ground.interrupt)?);
        }
        report.add(Figure {
            what: format!("the same at {per_second}/s for {PRODUCTS} products"),
            bar: String::new(),
            value: latencies.summary(),
            beside: String::new(),
            outcome: Outcome::Told,
        });
    }
    Ok(())
}
