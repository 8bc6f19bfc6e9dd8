use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use local::Interrupt;

use crate::pace::Pace;
use crate::shop::Shop;

/// Places orders with an ecosystem that runs already, and says how long it took from POST to VALIDATED.
///
/// # Errors
/// If one of them does not come to a good end, or it is interrupted.
pub(crate) fn run(orders_urls: &[String], pace: Pace, interrupt: &Interrupt) -> anyhow::Result<()> {
    let shop = Shop::at(orders_urls.to_vec())?;
    // Whoever drove it before has used other ids.
    let label = format!("load-{}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis());
    let latencies = shop.order(pace, &label, interrupt)?;
    println!("{} orders at {}/s, from POST to VALIDATED: {}", pace.starts, pace.per_second, latencies.summary());
    ensure!(latencies.errors == 0, "{} orders did not come to a good end", latencies.errors);
    Ok(())
}
