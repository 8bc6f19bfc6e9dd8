use std::time::Duration;

/// How long each of many journeys took, and how many did not come to a good end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    durations: Vec<Duration>,
    pub(crate) errors: usize,
}

impl Latencies {
    /// Of journeys, and nothing for each that did not come to a good end.
    pub(crate) fn of(durations: impl IntoIterator<Item = Option<Duration>>) -> Self {
        let mut latencies = Self::default();
        for duration in durations {
            match duration {
                Some(duration) => latencies.record(duration),
                None => latencies.errors += 1,
            }
        }
        latencies
    }

    pub(crate) fn record(&mut self, duration: Duration) {
        self.durations.push(duration);
    }

    /// Adds those of another round.
    pub(crate) fn extend(&mut self, other: Self) {
        self.durations.extend(other.durations);
        self.errors += other.errors;
    }

    pub(crate) fn count(&self) -> usize {
        self.durations.len()
    }

    pub(crate) fn median_ms(&self) -> f64 {
        self.percentile_ms(0.5)
    }

    /// The smallest duration that so large a part of all do not exceed (nearest rank), in milliseconds.
    pub(crate) fn percentile_ms(&self, part: f64) -> f64 {
        let mut sorted = self.durations.clone();
        sorted.sort_unstable();
        let rank = (part * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).map_or(f64::NAN, |duration| duration.as_secs_f64() * 1000.0)
    }

    /// How many times the median the p99 is.
    pub(crate) fn tail(&self) -> f64 {
        self.percentile_ms(0.99) / self.median_ms()
    }

    /// Median, p90, p99 and maximum, and the errors if there are any.
    pub(crate) fn summary(&self) -> String {
        let [median, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(|part| self.percentile_ms(part));
        let errors = if self.errors == 0 { String::new() } else { format!(", {} ERRORS", self.errors) };
        format!("p50 {median:.1}, p90 {p90:.1}, p99 {p99:.1}, max {max:.1} ms of {}{errors}", self.count())
    }
}

/// The middle one; of an even number, the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_durations_that_occurred() {
        let mut latencies = Latencies::default();
        (1..=200).rev().for_each(|ms| latencies.record(Duration::from_millis(ms)));
        let parts = [0.0, 0.5, 0.9, 0.99, 1.0].map(|part| latencies.percentile_ms(part));
        assert_eq!(parts, [1.0, 100.0, 180.0, 198.0, 200.0]);
    }

    #[test]
    fn nothing_has_no_median() {
        assert!(Latencies::default().median_ms().is_nan());
        assert!(median([]).is_nan());
        assert_eq!((median([3.0, 1.0, 2.0]), median([4.0, 1.0, 2.0, 3.0])), (2.0, 2.5));
    }
}
