use crate::bare::Chain;
use crate::ground::Ground;
use crate::latencies::{Latencies, median};
use crate::pace::Pace;

/// Orders and as many records through bare hops in turn, round by round.
pub(crate) struct Turns {
    pub(crate) orders: Latencies,
    pub(crate) bare: Latencies,
    /// The median over the rounds of what the median of the orders is to that of the hops.
    pub(crate) ratio: f64,
}

impl Turns {
    pub(crate) fn take(
        ground: &Ground,
        chain: &mut Chain,
        pace: Pace,
        rounds: usize,
        label: &str,
    ) -> anyhow::Result<Self> {
        let (mut orders, mut bare, mut ratios) = (Latencies::default(), Latencies::default(), Vec::new());
        for round in 0..rounds {
            let of_orders = ground.order(pace, &format!("{label}-{}-{round}", pace.per_second))?;
            let of_bare = chain.send(pace, &ground.interrupt)?;
            ratios.push(of_orders.median_ms() / of_bare.median_ms());
            orders.extend(of_orders);
            bare.extend(of_bare);
        }
        Ok(Self { orders, bare, ratio: median(ratios) })
    }

    /// What was not answered, of either kind.
    pub(crate) fn errors(&self) -> usize {
        self.orders.errors + self.bare.errors
    }
}
