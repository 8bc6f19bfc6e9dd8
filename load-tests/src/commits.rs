use crate::ground::Ground;
use crate::prometheus::{Histogram, Metrics};

const COMMITS: &str = "streams_commit_duration_seconds";

/// The commits of one process between two looks at what it tells.
pub(crate) struct Commits {
    pub(crate) durations: Histogram,
    pub(crate) mean_ms: f64,
}

impl Commits {
    pub(crate) fn between(before: &Metrics, after: &Metrics) -> Self {
        let durations = after.histogram(COMMITS).since(&before.histogram(COMMITS));
        let total = |metrics: &Metrics| metrics.counter(&format!("{COMMITS}_sum"));
        let mean_ms = (total(after) - total(before)) / durations.count() * 1000.0;
        Self { durations, mean_ms }
    }
}

/// What all instances tell at one moment.
pub(crate) struct Moment(Vec<(&'static str, Metrics)>);

impl Moment {
    pub(crate) fn of(ground: &Ground) -> anyhow::Result<Self> {
        let services = ground.instances().into_iter();
        Ok(Self(services.map(|service| Ok((service, ground.metrics_of(service)?))).collect::<anyhow::Result<_>>()?))
    }

    /// Each service, with its commits from this moment to a later one.
    pub(crate) fn until<'a>(&'a self, later: &'a Self) -> impl Iterator<Item = (&'static str, Commits)> {
        self.0.iter().zip(&later.0).map(|((service, before), (_, after))| (*service, Commits::between(before, after)))
    }
}
