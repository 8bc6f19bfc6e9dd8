use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use avro_codec::AvroRecord;
use local::Addresses;
use streams::Topic;
use test_kit::{Broker, RawRecord};

use crate::topics::Topics;

/// Reads a topic again and again, and keeps what its owner deletes in the meantime: a repartition topic holds a record for
/// some time after its reader has had it, and no longer.
#[derive(Debug)]
pub struct Tap<V: 'static> {
    topic: Topic<V>,
    topics: Topics,
    is_over: Arc<AtomicBool>,
    reader: JoinHandle<BTreeMap<(i32, i64), RawRecord>>,
}

/// The header of a record that was sent on: which record it was made from.
const FORWARDED_FROM: &str = "forwarded-from";
/// Much less than the interval between two deletions.
const INTERVAL: Duration = Duration::from_secs(2);

impl<V: AvroRecord> Tap<V> {
    /// Begins to read.
    ///
    /// # Errors
    /// As [`Topics::of`].
    pub fn on(topic: Topic<V>, addresses: &Addresses) -> anyhow::Result<Self> {
        let is_over: Arc<AtomicBool> = Arc::default();
        let (broker, name) = (Broker::at(&addresses.kafka_bootstrap), topic.name().to_string());
        let reader = thread::spawn({
            let is_over = is_over.clone();
            move || {
                let mut kept = BTreeMap::new();
                loop {
                    // Asked before it reads: what is there when it is told to end belongs to it.
                    let is_last = is_over.load(Ordering::Acquire);
                    // What cannot be read now can be read in a moment; what was missed is noticed by whoever folds it.
                    let records = broker.read_all(&name).unwrap_or_default();
                    kept.extend(records.into_iter().map(|record| ((record.partition, record.offset), record)));
                    if is_last {
                        return kept;
                    }
                    thread::park_timeout(INTERVAL);
                }
            }
        });
        Ok(Self { topic, topics: Topics::of(addresses)?, is_over, reader })
    }

    /// All that was ever in the topic, partition by partition, each in its order. What was sent on twice is there once, as for
    /// the owner of the topic.
    ///
    /// # Errors
    /// As [`Topics::read`].
    ///
    /// # Panics
    /// If the reader has.
    pub async fn end(self) -> anyhow::Result<Vec<V>> {
        self.is_over.store(true, Ordering::Release);
        self.reader.thread().unpark();
        let (mut values, mut origins) = (Vec::new(), BTreeSet::new());
        for record in self.reader.join().expect("the reader does not panic").into_values() {
            let origin = record.header_value(FORWARDED_FROM).map(|origin| (record.partition, origin.to_vec()));
            if origin.is_some_and(|origin| !origins.insert(origin)) {
                continue;
            }
            values.push(self.topics.event(&self.topic, record).await?.value);
        }
        Ok(values)
    }
}
