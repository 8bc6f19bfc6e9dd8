use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use streams_kafka::headers::{PROCESSED_AT, TRACEPARENT};

use super::{CALL_TIMEOUT, consumer};

/// A bystander on a thread of its own who reads whatever is committed from now on.
///
/// Only live can all be seen: repartition topics are purged, and others compacted.
pub(crate) struct Watch {
    thread: JoinHandle<anyhow::Result<Vec<Seen>>>,
    is_stopping: Arc<AtomicBool>,
}

/// A record.
pub(crate) struct Seen {
    pub(crate) topic: String,
    pub(crate) key: String,
    /// The trace it belongs to, if it is an event and not an entry of a changelog.
    pub(crate) trace: Option<String>,
    /// When its writer made it, in milliseconds since the epoch.
    pub(crate) processed_at_ms: Option<i64>,
}

impl Watch {
    /// Begins to look at those topics that are wanted, among all but the broker's own. Each costs the broker something.
    pub(crate) fn start(bootstrap: &str, is_wanted: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
        let consumer = consumer(bootstrap, "watch")?;
        consumer.assign(&ends(&consumer, is_wanted)?)?;
        let is_stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_stopping);
        let thread = thread::Builder::new().name("watch".into()).spawn(move || look(&consumer, &stop))?;
        Ok(Self { thread, is_stopping })
    }

    /// Ends it when nothing more comes, and returns all there was, each partition in order.
    pub(crate) fn stop(self) -> anyhow::Result<Vec<Seen>> {
        self.is_stopping.store(true, Ordering::Release);
        self.thread.join().map_err(|_| anyhow::Error::msg("the watch panicked"))?
    }
}

fn look(consumer: &BaseConsumer, is_stopping: &AtomicBool) -> anyhow::Result<Vec<Seen>> {
    const SILENCE: Duration = Duration::from_secs(1);
    let mut all = Vec::new();
    loop {
        let is_last = is_stopping.load(Ordering::Acquire);
        match consumer.poll(SILENCE) {
            Some(message) => all.push(seen(&message?)?),
            None if is_last => return Ok(all),
            None => {}
        }
    }
}

fn seen(message: &BorrowedMessage<'_>) -> anyhow::Result<Seen> {
    let header = |wanted: &str| {
        let found = message.headers()?.iter().find(|header| header.key == wanted)?;
        Some(String::from_utf8_lossy(found.value?).into_owned())
    };
    Ok(Seen {
        topic: message.topic().to_string(),
        key: String::from_utf8_lossy(message.key().context("every record has a key")?).into_owned(),
        trace: header(TRACEPARENT),
        processed_at_ms: header(PROCESSED_AT).map(|millis| millis.parse()).transpose()?,
    })
}

/// Where each partition ends now. A position that says no more than «the end» is found when the first record is wanted,
/// which is too late.
fn ends(consumer: &BaseConsumer, is_wanted: impl Fn(&str) -> bool) -> anyhow::Result<TopicPartitionList> {
    let all = consumer.fetch_metadata(None, CALL_TIMEOUT)?;
    let mut ends = TopicPartitionList::new();
    for topic in all.topics().iter().filter(|topic| !topic.name().starts_with("__") && is_wanted(topic.name())) {
        for partition in topic.partitions() {
            let (_, end) = consumer.fetch_watermarks(topic.name(), partition.id(), CALL_TIMEOUT)?;
            ends.add_partition_offset(topic.name(), partition.id(), Offset::Offset(end))?;
        }
    }
    Ok(ends)
}
