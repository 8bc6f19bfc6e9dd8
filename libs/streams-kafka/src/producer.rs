use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{ClientContext, Message};
use streams::StoreError;

use crate::Settings;
use crate::clock::Stopwatch;

/// A producer that knows what is in flight.
pub(crate) struct IdempotentProducer {
    producer: BaseProducer<Acknowledgements>,
    counters: Arc<Counters>,
    sent: u64,
    /// How long the broker may take to acknowledge what is in flight, or to make room for more.
    patience: Duration,
}

/// One transactional producer: a transaction that begins with its first record, and whose commit is three steps that the
/// caller takes in order.
pub(crate) struct TransactionalProducer {
    producer: IdempotentProducer,
    is_open: bool,
    is_worn: bool,
    /// EndTxn that took longer than this may have been retried on a new connection and end the *next* transaction:
    /// librdkafka has no KIP-890 part 2.
    slow_end: Duration,
}

/// What a failure asks for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Abort the transaction and go on with the same producer.
    Abort(KafkaError),
    /// The producer cannot be used any more.
    Rebuild(KafkaError),
    /// The consumer cannot be used any more either: leave, and join the group anew.
    Rejoin(KafkaError),
    /// No retry will help: a configuration error.
    Stop(KafkaError),
    /// No retry will help: a store does not answer.
    Broken(StoreError),
}

/// One record on its way out.
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp: i64,
    pub(crate) headers: Option<OwnedHeaders>,
    /// A number above 0: the offset of the last record with this mark is asked for afterwards.
    pub(crate) mark: usize,
}

#[derive(Default)]
struct Counters {
    acknowledged: AtomicU64,
    failed: Mutex<Option<KafkaError>>,
    /// The last offset of each mark.
    offsets: Mutex<BTreeMap<usize, i64>>,
}

struct Acknowledgements(Arc<Counters>);

/// One call into librdkafka.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a commit may take through an outage of the broker.
const COMMIT_PATIENCE: Duration = Duration::from_secs(30);
/// How long an abort waits for records that are on their way.
const LANDING_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two looks for acknowledgements. Spinning would take the CPU from the broker that is to send them.
const ACKNOWLEDGEMENT_POLL: Duration = Duration::from_micros(50);

impl IdempotentProducer {
    /// Creates the client; it connects by itself.
    pub(crate) fn connect(config: &ClientConfig, patience: Duration) -> Result<Self, KafkaError> {
        let counters = Arc::new(Counters::default());
        let producer = config.create_with_context(Acknowledgements(counters.clone()))?;
        Ok(Self { producer, counters, sent: 0, patience })
    }

    /// Hands a record to the client.
    pub(crate) fn send(&mut self, record: Outgoing<'_>) -> Result<(), Failure> {
        let mut outgoing =
            BaseRecord::<[u8], [u8], usize>::with_opaque_to(record.topic, record.mark).timestamp(record.timestamp);
        outgoing.partition = record.partition;
        outgoing.key = record.key;
        outgoing.payload = record.value;
        outgoing.headers = record.headers;
        let start = Stopwatch::start();
        while let Err((error, returned)) = self.producer.send(outgoing) {
            let is_full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            if !is_full || start.elapsed() > self.patience {
                return Err(error.into());
            }
            self.producer.poll(Duration::from_millis(1));
            outgoing = returned;
        }
        self.sent += 1;
        Ok(())
    }

    /// Waits until nothing is in flight.
    pub(crate) fn await_acknowledgements(&self) -> Result<(), Failure> {
        let start = Stopwatch::start();
        while !self.is_acknowledged()? {
            if start.elapsed() > self.patience {
                return Err(Failure::Rebuild(KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut)));
            }
            thread::sleep(ACKNOWLEDGEMENT_POLL);
        }
        Ok(())
    }

    /// Whether nothing is in flight.
    pub(crate) fn is_acknowledged(&self) -> Result<bool, Failure> {
        self.producer.poll(Duration::ZERO);
        if let Some(error) = self.counters.failed().take() {
            // The sequence numbers behind a lost record are of no use any more.
            return Err(Failure::from(error).or_rebuild());
        }
        Ok(self.counters.acknowledged.load(Ordering::Acquire) == self.sent)
    }
}

impl TransactionalProducer {
    /// Connects, and fences whoever used the same `transactional.id` before: its open transaction is aborted.
    pub(crate) fn connect(settings: &Settings, group: &str, thread: usize) -> Result<Self, KafkaError> {
        let config = settings.transactional_producer(group, thread);
        let producer = IdempotentProducer::connect(&config, settings.transaction_timeout())?;
        producer.producer.init_transactions(CALL_TIMEOUT * 2)?;
        Ok(Self { producer, is_open: false, is_worn: false, slow_end: settings.retry_backoff * 3 / 4 })
    }

    /// Hands a record to the client. The first of a transaction begins it, and should be sent as early as possible: a
    /// fixed 1 ms timer in librdkafka starts there.
    pub(crate) fn send(&mut self, record: Outgoing<'_>) -> Result<(), Failure> {
        self.begin()?;
        self.producer.send(record)
    }

    /// Waits until nothing is in flight.
    pub(crate) fn await_acknowledgements(&self) -> Result<(), Failure> {
        self.producer.await_acknowledgements()
    }

    /// Where the last record with each mark has landed, by mark; they are asked for once.
    pub(crate) fn take_offsets(&self) -> BTreeMap<usize, i64> {
        std::mem::take(&mut self.producer.counters.offsets())
    }

    /// Puts the positions of the input into the transaction (KIP-447). Without a position this would be a silent no-op
    /// and the transaction would not be fenced, so there must be one.
    pub(crate) fn send_offsets(
        &mut self,
        positions: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), Failure> {
        assert!(positions.count() > 0, "a transaction without a position is not fenced");
        self.begin()?;
        // When the transaction has timed out, waiting for an answer in it is of no use.
        repeat(CALL_TIMEOUT, || self.client().send_offsets_to_transaction(positions, group, CALL_TIMEOUT))
    }

    /// Ends the transaction. If this fails, nobody here knows whether it was committed: positions and stores have to be
    /// asked of the broker again.
    pub(crate) fn commit(&mut self) -> Result<(), Failure> {
        let start = Stopwatch::start();
        repeat(COMMIT_PATIENCE, || self.client().commit_transaction(CALL_TIMEOUT)).map_err(Failure::or_rejoin)?;
        self.is_open = false;
        self.is_worn |= start.elapsed() > self.slow_end;
        Ok(())
    }

    /// `cluster.id` of the brokers it is connected to.
    pub(crate) fn cluster_id(&self) -> Option<String> {
        self.client().client().fetch_cluster_id(CALL_TIMEOUT)
    }

    /// Whether its last transaction ended so slowly that it must be rebuilt before the next.
    pub(crate) fn is_worn(&self) -> bool {
        self.is_worn
    }

    /// Gives the transaction up. A failed or slow abort leaves a producer that cannot be trusted.
    pub(crate) fn abort(&mut self) -> Result<(), Failure> {
        if !self.is_open {
            return Ok(());
        }
        // A record that is purged on its way leaves a gap in the sequence numbers: give it a moment to land.
        let start = Stopwatch::start();
        while !self.producer.is_acknowledged()? && start.elapsed() < LANDING_TIMEOUT {
            thread::sleep(ACKNOWLEDGEMENT_POLL);
        }
        let start = Stopwatch::start();
        repeat(CALL_TIMEOUT, || self.client().abort_transaction(CALL_TIMEOUT)).map_err(Failure::or_rebuild)?;
        self.is_open = false;
        let is_clean = self.producer.is_acknowledged()? && start.elapsed() < self.slow_end;
        if is_clean { Ok(()) } else { Err(Failure::Rebuild(KafkaError::Canceled)) }
    }

    /// Begins a transaction if none is open; never one that the slow end of the last could still end.
    fn begin(&mut self) -> Result<(), Failure> {
        if !self.is_open {
            if self.is_worn {
                return Err(Failure::Rebuild(KafkaError::Canceled));
            }
            self.client().begin_transaction()?;
            // What an aborted transaction has left is nowhere.
            self.producer.counters.offsets().clear();
            self.is_open = true;
        }
        Ok(())
    }

    fn client(&self) -> &BaseProducer<Acknowledgements> {
        &self.producer.producer
    }
}

/// Repeats a call that timed out: librdkafka goes on with it from where it was. After `patience` its silence is a
/// failure like any other.
fn repeat(patience: Duration, mut call: impl FnMut() -> Result<(), KafkaError>) -> Result<(), Failure> {
    let start = Stopwatch::start();
    loop {
        match call() {
            Ok(()) => return Ok(()),
            Err(KafkaError::Transaction(error)) if error.is_retriable() && start.elapsed() < patience => {
                tracing::warn!(%error, "the broker is slow to answer in a transaction");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl From<KafkaError> for Failure {
    fn from(error: KafkaError) -> Self {
        let denied = |code| {
            matches!(
                code,
                RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
            )
        };
        let code = match &error {
            KafkaError::Transaction(inner) => Some(inner.code()),
            other => other.rdkafka_error_code(),
        };
        // Authorization errors arrive as abortable: whoever only aborts does so for ever.
        if code.is_some_and(denied) {
            return Self::Stop(error);
        }
        match &error {
            KafkaError::Transaction(inner) if inner.txn_requires_abort() && !inner.is_fatal() => Self::Abort(error),
            _ => Self::Rebuild(error),
        }
    }
}

impl Failure {
    fn or_rejoin(self) -> Self {
        match self {
            Self::Abort(error) | Self::Rebuild(error) => Self::Rejoin(error),
            other => other,
        }
    }

    fn or_rebuild(self) -> Self {
        match self {
            Self::Abort(error) => Self::Rebuild(error),
            other => other,
        }
    }
}

impl Counters {
    fn failed(&self) -> std::sync::MutexGuard<'_, Option<KafkaError>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offsets(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, i64>> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, mark: usize) {
        match result {
            Err((error, message)) => {
                tracing::debug!(topic = message.topic(), %error, "a record was not delivered");
                self.0.failed().get_or_insert(error.clone());
            }
            Ok(message) if mark > 0 => drop(self.0.offsets().insert(mark, message.offset())),
            Ok(_) => {}
        }
        self.0.acknowledged.fetch_add(1, Ordering::Release);
    }
}
