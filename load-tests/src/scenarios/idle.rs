use std::time::Duration;

use crate::ground::Ground;
use crate::pace::pause;
use crate::process::{cpu_time, memory_mib};
use crate::report::{Figure, Outcome, Report};

const WATCHED: Duration = Duration::from_secs(30);
const MOST_CPU_PERCENT: f64 = 1.0;
const MOST_MEMORY_MIB: f64 = 30.0;

/// Watches every service for a while in which nobody wants anything from it.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let services = ground.instances();
    let cpu_times =
        || services.iter().map(|service| cpu_time(ground.pid(service)?)).collect::<anyhow::Result<Vec<_>>>();
    let before = cpu_times()?;
    pause(&ground.interrupt, WATCHED)?;
    let after = cpu_times()?;
    for ((service, before), after) in services.iter().zip(before).zip(after) {
        let percent = (after - before).as_secs_f64() / WATCHED.as_secs_f64() * 100.0;
        let memory = memory_mib(ground.pid(service)?)?;
        report.add(Figure {
            what: format!("{service}, idle"),
            bar: format!("≤ {MOST_CPU_PERCENT} % of a core, ≤ {MOST_MEMORY_MIB} MiB"),
            value: format!("{percent:.2} %, {memory:.1} MiB"),
            beside: String::new(),
            outcome: Outcome::of(percent <= MOST_CPU_PERCENT && memory <= MOST_MEMORY_MIB),
        });
    }
    Ok(())
}
