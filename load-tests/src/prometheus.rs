use anyhow::Context;

/// What a service tells on its `/metrics`, as text.
pub(crate) struct Metrics(String);

/// The counts of a histogram's buckets, each with its upper bound; a count includes those below it. There are no buckets
/// before anything was counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram(Vec<(f64, f64)>);

impl Metrics {
    pub(crate) async fn fetch(client: &reqwest::Client, admin_url: &str) -> anyhow::Result<Self> {
        let answer = client.get(format!("{admin_url}/metrics")).send().await?.error_for_status()?;
        Ok(Self(answer.text().await?))
    }

    /// The sum of a counter over all its labels; one that was never raised is not told, and 0.
    pub(crate) fn counter(&self, name: &str) -> f64 {
        self.samples(name).fold(0.0, |sum, (_, value)| sum + value)
    }

    /// A histogram by the name it has without suffix.
    pub(crate) fn histogram(&self, name: &str) -> Histogram {
        let buckets = format!("{name}_bucket");
        let bound = |labels: &str| labels.split("le=\"").nth(1)?.split('"').next()?.replace("+Inf", "inf").parse().ok();
        Histogram(self.samples(&buckets).filter_map(|(labels, count)| Some((bound(labels)?, count))).collect())
    }

    /// Labels and value of each line `name{labels} value`.
    fn samples(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, value.parse().ok()?))
        })
    }
}

impl Histogram {
    /// What was counted since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self(self.0.iter().map(|(bound, count)| (*bound, count - earlier.at(*bound))).collect())
    }

    pub(crate) fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// What this and another process have counted, in the same buckets.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let (longer, shorter) = if self.0.len() < other.0.len() { (other, self) } else { (self, other) };
        Self(longer.0.iter().map(|(bound, count)| (*bound, count + shorter.at(*bound))).collect())
    }

    pub(crate) fn median(&self) -> anyhow::Result<f64> {
        self.percentile(0.5)
    }

    /// What so large a part of the values does not exceed, as if those of a bucket were spread evenly over it: exact to the
    /// width of the bucket.
    pub(crate) fn percentile(&self, part: f64) -> anyhow::Result<f64> {
        let wanted = self.count() * part;
        let mut below = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= wanted && *count > below.1 {
                let part = (wanted - below.1) / (count - below.1);
                return Ok(if bound.is_finite() { below.0 + part * (bound - below.0) } else { below.0 });
            }
            below = (*bound, *count);
        }
        Err(anyhow::Error::msg("nothing was counted")).context("no percentile")
    }

    fn at(&self, bound: f64) -> f64 {
        self.0.iter().find(|(at, _)| *at == bound).map_or(0.0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
        # TYPE a_seconds histogram\n\
        a_seconds_bucket{service=\"s\",le=\"0.001\"} 1\n\
        a_seconds_bucket{service=\"s\",le=\"0.002\"} 5\n\
        a_seconds_bucket{service=\"s\",le=\"+Inf\"} 6\n\
        a_seconds_count{service=\"s\"} 6\n\
        aborts_total{service=\"s\"} 2\n\
        aborts_total_of_another 7\n";

    #[test]
    fn the_median_lies_between_the_bounds_of_its_bucket() -> anyhow::Result<()> {
        let histogram = Metrics(TEXT.to_string()).histogram("a_seconds");
        assert_eq!(histogram.median()?, 0.0015);
        assert_eq!(histogram.percentile(0.75)?, 0.001_875);
        assert_eq!(histogram.count(), 6.0);
        Ok(())
    }

    #[test]
    fn what_was_counted_earlier_does_not_count() {
        let histogram = Metrics(TEXT.to_string()).histogram("a_seconds");
        assert!(histogram.since(&histogram).median().is_err());
        assert_eq!(histogram.since(&Histogram(Vec::new())), histogram);
    }

    #[test]
    fn what_two_processes_have_counted_is_added() {
        let histogram = Metrics(TEXT.to_string()).histogram("a_seconds");
        let both = histogram.plus(&histogram);
        assert_eq!(both.count(), 12.0);
        assert_eq!(both.since(&histogram), histogram);
        assert_eq!(Histogram(Vec::new()).plus(&histogram), histogram);
    }

    #[test]
    fn a_counter_is_found_by_its_whole_name() {
        let metrics = Metrics(TEXT.to_string());
        assert_eq!((metrics.counter("aborts_total"), metrics.counter("rebuilds_total")), (2.0, 0.0));
    }
}
