use std::time::Duration;

use crate::ground::Ground;
use crate::process::cpu_time;

/// What the broker, each service and this process have used of the processors so far.
pub(crate) struct Appetite(Vec<(&'static str, Duration)>);

impl Appetite {
    pub(crate) fn so_far(ground: &Ground) -> anyhow::Result<Self> {
        let parts = ["kafka"].into_iter().chain(ground.instances());
        let of = |part| Ok((part, cpu_time(ground.pid(part)?)?));
        let mut times = parts.map(of).collect::<anyhow::Result<Vec<_>>>()?;
        times.push(("driver", cpu_time(std::process::id())?));
        Ok(Self(times))
    }

    /// What has been used since, in milliseconds for each of so many orders.
    pub(crate) fn per_order_since(&self, earlier: &Self, orders: u32) -> Vec<(&'static str, f64)> {
        let used = self.0.iter().zip(&earlier.0).map(|((process, after), (_, before))| (*process, *after - *before));
        used.map(|(process, used)| (process, used.as_secs_f64() * 1000.0 / f64::from(orders))).collect()
    }
}
