use crate::ground::Ground;
use crate::pace::Pace;
use crate::report::{Figure, Outcome, Report};

/// Places orders through both instances of orders.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    ground.warm_up_orders("whole-demo")?;
    for per_second in [10, 100, 500] {
        let latencies = ground.order(Pace::new(per_second, 15), &format!("whole-demo-{per_second}"))?;
        report.add(Figure {
            what: format!("POST to VALIDATED by all checks at {per_second}/s, two instances of each service"),
            bar: String::new(),
            value: latencies.summary(),
            beside: format!("p99 {:.2} × its median", latencies.tail()),
            outcome: Outcome::Told,
        });
    }
    Ok(())
}
