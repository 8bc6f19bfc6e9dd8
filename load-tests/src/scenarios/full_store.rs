use std::time::Duration;

use crate::ground::Ground;
use crate::journaled;
use crate::latencies::Latencies;
use crate::pace::{Pace, pause};
use crate::process::memory_mib;
use crate::report::{Figure, Outcome, Report, doing};

const ORDERS: usize = 100_000;
const MOST_MEMORY_MIB: f64 = 150.0;
const PACE: Pace = Pace { per_second: 10, starts: 150 };

/// Measures orders before and after so many orders went through it.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let mut chain = ground.bare_hops("full-store")?;
    ground.warm_up_orders("full-store")?;
    let mut both = |label: &str| -> anyhow::Result<(Latencies, Latencies)> {
        Ok((ground.order(PACE, label)?, chain.send(PACE, &ground.interrupt)?))
    };
    let (empty, bare_before) = both("before")?;
    let memory_before = memory_mib(ground.pid("orders")?)?;
    doing("  100 000 orders have their verdicts", || journaled::orders(ground, ORDERS))?;
    pause(&ground.interrupt, Duration::from_secs(5))?;
    let memory = memory_mib(ground.pid("orders")?)?;
    let (full, bare_after) = both("after")?;
    report.add(Figure {
        what: format!("orders with {ORDERS} orders in its store"),
        bar: format!("≤ {MOST_MEMORY_MIB} MiB"),
        value: format!("{memory:.1} MiB"),
        beside: format!("before: {memory_before:.1} MiB"),
        outcome: Outcome::of(memory <= MOST_MEMORY_MIB),
    });
    report.add(Figure {
        what: format!("its median from POST to VALIDATED at {}/s", PACE.per_second),
        bar: String::new(),
        value: format!("{:.1} ms", full.median_ms()),
        beside: format!(
            "before: {:.1} ms; bare: {:.1}, before {:.1} ms",
            empty.median_ms(),
            bare_after.median_ms(),
            bare_before.median_ms()
        ),
        outcome: Outcome::Told,
    });
    chain.stop()
}
