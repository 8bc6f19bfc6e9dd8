use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::metrics::{Counter, Gauge, Histogram};
use opentelemetry::{KeyValue, global};
use rdkafka::statistics::Partition;
use streams::Timestamp;

use crate::clock::wall_clock;
use crate::view::Shares;

/// What a stream thread tells about itself. The process that runs it decides where the figures go.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) commit_seconds: Histogram<f64>,
    pub(crate) epoch_records: Histogram<u64>,
    pub(crate) records: Counter<u64>,
    pub(crate) aborts: Counter<u64>,
    pub(crate) rebuilds: Counter<u64>,
    pub(crate) dead_letters: Counter<u64>,
    pub(crate) global_records_refused: Counter<u64>,
    pub(crate) repetitions: Counter<u64>,
    pub(crate) restored_records: Counter<u64>,
    pub(crate) restore_remaining_records: Gauge<u64>,
    pub(crate) restore_remaining_shares: Gauge<u64>,
    pub(crate) record_e2e_latency_seconds: Histogram<f64>,
    pub(crate) end_transaction_seconds: Histogram<f64>,
    pub(crate) labels: [KeyValue; 1],
}

impl Metrics {
    pub(crate) fn new(service: &str) -> Self {
        let meter = global::meter("streams");
        let seconds = vec![0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0];
        let hops = vec![0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0];
        let records = vec![1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
        Self {
            commit_seconds: meter
                .f64_histogram("streams_commit_duration")
                .with_unit("s")
                .with_description("From the decision to commit an epoch until its state can be read")
                .with_boundaries(seconds.clone())
                .build(),
            end_transaction_seconds: meter
                .f64_histogram("streams_end_transaction_duration")
                .with_unit("s")
                .with_description("From EndTxn to its answer; one that takes long costs the producer")
                .with_boundaries(seconds)
                .build(),
            epoch_records: meter
                .u64_histogram("streams_epoch_records")
                .with_description("Input records per committed epoch")
                .with_boundaries(records)
                .build(),
            records: meter.u64_counter("streams_records").with_description("Input records processed").build(),
            aborts: meter.u64_counter("streams_aborts").with_description("Epochs aborted").build(),
            rebuilds: meter
                .u64_counter("streams_producer_rebuilds")
                .with_description("Transactional producers built anew after a failure")
                .build(),
            dead_letters: meter
                .u64_counter("streams_dead_letters")
                .with_description("Records that could not be handled or were given up, by cause")
                .build(),
            global_records_refused: meter
                .u64_counter("streams_global_records_refused")
                .with_description("Records that a global table had to leave out, by cause")
                .build(),
            repetitions: meter
                .u64_counter("streams_repetitions")
                .with_description("Records that were sent on twice and left out the second time")
                .build(),
            restored_records: meter
                .u64_counter("streams_restored_records")
                .with_description("Changelog records read back into stores")
                .build(),
            restore_remaining_records: meter
                .u64_gauge("streams_restore_remaining_records")
                .with_description("Changelog records that are still to be read back into the share being restored")
                .build(),
            restore_remaining_shares: meter
                .u64_gauge("streams_restore_remaining_shares")
                .with_description("Shares of stores that are still to be restored")
                .build(),
            record_e2e_latency_seconds: meter
                .f64_histogram("streams_record_e2e_latency")
                .with_unit("s")
                .with_description(
                    "From the writing of the first record of an epoch until what follows from it can be read; in a sink, \
                     until it is handed on (KIP-613)",
                )
                .with_boundaries(hops)
                .build(),
            labels: [KeyValue::new("service", service.to_string())],
        }
    }
}

impl Metrics {
    /// Counts nothing, so that these are there before there is something to count: who looks at how a figure grows has to
    /// see it at 0.
    pub(crate) fn begin(&self) {
        for counter in [&self.records, &self.aborts, &self.repetitions, &self.restored_records] {
            counter.add(0, &self.labels);
        }
        for cause in ["failed", "slow"] {
            self.rebuilds.add(0, &self.labels_with("cause", cause));
        }
    }

    /// A thread has so many changelog records still to read of one share, and so many shares.
    pub(crate) fn restoring(&self, thread: usize, remaining_records: u64, remaining_shares: usize) {
        let labels = [self.labels[0].clone(), KeyValue::new("thread", thread as i64)];
        self.restore_remaining_records.record(remaining_records, &labels);
        self.restore_remaining_shares.record(remaining_shares as u64, &labels);
    }

    /// What is done now begins with a record of this topic that was written then.
    pub(crate) fn hop(&self, topic: &str, written: Timestamp) {
        let millis = wall_clock().as_millis().saturating_sub(written.as_millis());
        let latency = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        let labels = [self.labels[0].clone(), KeyValue::new("topic", topic.to_string())];
        self.record_e2e_latency_seconds.record(latency.as_secs_f64(), &labels);
    }

    pub(crate) fn labels_with(&self, name: &'static str, value: &'static str) -> [KeyValue; 2] {
        [self.labels[0].clone(), KeyValue::new(name, value)]
    }
}

/// How much each partition of a consumer has still to be read. A partition that is given away vanishes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lags(Arc<Mutex<Vec<Lag>>>);

/// That of one partition.
#[derive(Debug)]
pub(crate) struct Lag {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) records: u64,
}

impl Lags {
    /// Tells them whenever somebody asks, for as long as the process runs.
    pub(crate) fn observed(service: &str) -> Self {
        let (lags, service) = (Self::default(), KeyValue::new("service", service.to_string()));
        let told = lags.clone();
        global::meter("streams")
            .u64_observable_gauge("kafka.consumer.records_lag")
            .with_description(
                "Offsets between what is done and the last stable offset, markers of transactions included",
            )
            .with_callback(move |observer| {
                for Lag { topic, partition, records } in told.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    let topic = KeyValue::new("topic", topic.clone());
                    let partition = KeyValue::new("partition", i64::from(*partition));
                    observer.observe(*records, &[service.clone(), topic, partition]);
                }
            })
            .build();
        lags
    }

    /// These are all there are now.
    pub(crate) fn replace(&self, lags: Vec<Lag>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lags;
    }
}

/// How many offsets lie between the next record to be done and the end of a partition, as the client knows it; nothing before
/// it has fetched. Who has read all records still has markers of transactions before it, which nobody is ever given: so it
/// counts as done when the client has come to the end and holds nothing back.
pub(crate) fn lag(next: i64, partition: &Partition) -> Option<u64> {
    let end = u64::try_from(partition.ls_offset).ok()?;
    let is_done =
        partition.fetchq_cnt == 0 && partition.eof_offset >= partition.ls_offset && partition.app_offset <= next;
    Some(if is_done { 0 } else { end.saturating_sub(u64::try_from(next).unwrap_or(0)) })
}

/// Tells how many blocking reads are under way, whenever somebody asks.
pub(crate) fn observe_waiters(service: &str, shares: Arc<Shares>) {
    let labels = [KeyValue::new("service", service.to_string())];
    global::meter("streams")
        .u64_observable_gauge("streams_waiters")
        .with_description("Blocking reads under way")
        .with_callback(move |waiters| waiters.observe(shares.waiters() as u64, &labels))
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(app_offset: i64, eof_offset: i64, ls_offset: i64, fetchq_cnt: i64) -> Partition {
        Partition { app_offset, eof_offset, ls_offset, fetchq_cnt, ..Partition::default() }
    }

    #[test]
    fn who_has_read_all_records_has_no_lag_whatever_markers_follow() {
        // One record at offset 4, the marker of its transaction at 5.
        assert_eq!(lag(5, &partition(5, 6, 6, 0)), Some(0));
        // Nothing has come since it began at the committed position.
        assert_eq!(lag(5, &partition(-1001, 6, 6, 0)), Some(0));
    }

    #[test]
    fn what_is_fetched_or_given_out_and_not_done_counts() {
        assert_eq!(lag(5, &partition(5, 5, 9, 0)), Some(4));
        assert_eq!(lag(5, &partition(5, 9, 9, 3)), Some(4));
        assert_eq!(lag(5, &partition(8, 9, 9, 0)), Some(4));
    }

    #[test]
    fn before_anything_is_fetched_nothing_is_known() {
        assert_eq!(lag(5, &partition(-1001, -1001, -1001, 0)), None);
    }
}
