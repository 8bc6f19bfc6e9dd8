use rdkafka::statistics::Statistics;

use super::SinkRecord;
use crate::metrics::{Lag, Lags, Metrics, lag};

/// What a member of a group tells of how far it is. What becomes of the records then is known to whoever takes them.
pub(super) struct Figures {
    metrics: Metrics,
    lags: Lags,
    /// Of topics on the broker.
    prefix: String,
}

impl Figures {
    pub(super) fn of(service: &str, prefix: &str) -> Self {
        Self { metrics: Metrics::new(service), lags: Lags::observed(service), prefix: prefix.to_string() }
    }

    /// These are handed on.
    pub(super) fn handed_on(&self, records: &[SinkRecord]) {
        if let Some((first, written)) = records.first().and_then(|first| Some((first, first.processed_at()?))) {
            self.metrics.hop(&first.source().topic, written);
        }
    }

    /// All partitions are given back.
    pub(super) fn withdraw(&self) {
        self.lags.replace(Vec::new());
    }

    /// The client has said how far it is.
    pub(super) fn reported(&self, statistics: &Statistics) {
        let mut lags = Vec::new();
        for topic in statistics.topics.values() {
            let name = topic.topic.strip_prefix(&*self.prefix).unwrap_or(&topic.topic);
            for partition in topic.partitions.values().filter(|partition| partition.desired) {
                let next = if partition.app_offset >= 0 { partition.app_offset } else { partition.next_offset };
                let records = lag(next, partition);
                lags.extend(records.map(|records| Lag {
                    topic: name.to_string(),
                    partition: partition.partition,
                    records,
                }));
            }
        }
        self.lags.replace(lags);
    }
}
