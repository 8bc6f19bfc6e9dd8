use std::sync::Arc;

use opentelemetry::metrics::{Counter, Gauge, Histogram};
use opentelemetry::{KeyValue, global};

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
    pub(crate) end_transaction_seconds: Histogram<f64>,
    pub(crate) labels: [KeyValue; 1],
}

impl Metrics {
    pub(crate) fn new(service: &str) -> Self {
        let meter = global::meter("streams");
        let seconds = vec![0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0];
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
            labels: [KeyValue::new("service", service.to_string())],
        }
    }
}

impl Metrics {
    /// So many changelog records are still to be read.
    pub(crate) fn restoring(&self, remaining_records: u64) {
        self.restore_remaining_records.record(remaining_records, &self.labels);
    }

    pub(crate) fn labels_with(&self, name: &'static str, value: &'static str) -> [KeyValue; 2] {
        [self.labels[0].clone(), KeyValue::new(name, value)]
    }
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
