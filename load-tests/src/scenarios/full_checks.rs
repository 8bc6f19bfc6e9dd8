use std::time::Duration;

use crate::ground::Ground;
use crate::journaled;
use crate::pace::{Pace, pause};
use crate::process::memory_mib;
use crate::report::{Figure, Outcome, Report, doing};
use crate::turns::Turns;

const ORDERS: usize = 100_000;
const MOST_MEMORY_MIB: f64 = 250.0;
const MOST_TIMES_THE_MEDIAN_BEFORE: f64 = 1.1;
const PACE: Pace = Pace { per_second: 10, starts: 100 };
const ROUNDS: usize = 4;

/// Measures all services before and after so many orders went through them, each of another customer.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let mut chain = ground.bare_hops("full-checks")?;
    ground.warm_up_orders("full-checks")?;
    let before = Turns::take(ground, &mut chain, PACE, ROUNDS, "before")?;
    let memory_before = memory(ground)?;
    doing("  100 000 orders have their verdicts", || journaled::orders(ground, ORDERS))?;
    pause(&ground.interrupt, Duration::from_secs(5))?;
    let memory_after = memory(ground)?;
    let after = Turns::take(ground, &mut chain, PACE, ROUNDS, "after")?;
    chain.stop()?;
    let total = |memory: &[(&str, f64)]| memory.iter().map(|(_, mib)| mib).sum::<f64>();
    let each: Vec<String> = memory_after.iter().map(|(service, mib)| format!("{service} {mib:.1}")).collect();
    report.add(Figure {
        what: format!("all services with {ORDERS} orders in their stores"),
        bar: format!("≤ {MOST_MEMORY_MIB} MiB"),
        value: format!("{:.1} MiB", total(&memory_after)),
        beside: format!("{}; before: {:.1} MiB", each.join(", "), total(&memory_before)),
        outcome: Outcome::of(total(&memory_after) <= MOST_MEMORY_MIB),
    });
    let ratio = after.orders.median_ms() / before.orders.median_ms();
    report.add(Figure {
        what: format!("their median from POST to VALIDATED at {}/s", PACE.per_second),
        bar: format!("≤ {MOST_TIMES_THE_MEDIAN_BEFORE} × that with none"),
        value: format!("{ratio:.2} ×: {:.1} ms, before {:.1} ms", after.orders.median_ms(), before.orders.median_ms()),
        beside: format!(
            "bare: {:.2} ×: {:.1} ms, before {:.1} ms",
            after.bare.median_ms() / before.bare.median_ms(),
            after.bare.median_ms(),
            before.bare.median_ms()
        ),
        outcome: Outcome::of(ratio <= MOST_TIMES_THE_MEDIAN_BEFORE && before.errors() + after.errors() == 0),
    });
    Ok(())
}

/// What each service holds, in MiB.
fn memory(ground: &Ground) -> anyhow::Result<Vec<(&'static str, f64)>> {
    ground.instances().into_iter().map(|service| Ok((service, memory_mib(ground.pid(service)?)?))).collect()
}
