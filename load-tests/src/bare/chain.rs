use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use local::Interrupt;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::BaseRecord;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{CALL_TIMEOUT, CountingProducer, RunningHop, consumer};
use crate::latencies::Latencies;
use crate::pace::Pace;

/// Hops in a row, a producer in front of them and a consumer behind: the journey of an order without the order.
pub(crate) struct Chain {
    front: CountingProducer,
    first_topic: String,
    hops: Vec<RunningHop>,
    back: JoinHandle<anyhow::Result<()>>,
    arrivals: Receiver<(u32, Instant)>,
    is_stopping: Arc<AtomicBool>,
}

impl Chain {
    /// A chain over these topics of one partition each, with a hop between any two.
    pub(crate) fn start(bootstrap: &str, topics: &[String]) -> anyhow::Result<Self> {
        let (first, last) = topics.first().zip(topics.last()).context("a chain has topics")?;
        let hop = |pair: &[String]| RunningHop::start(bootstrap, &format!("{}-hop", pair[0]), &pair[0], &pair[1]);
        let hops = topics.windows(2).map(hop).collect::<anyhow::Result<_>>()?;
        let behind = consumer(bootstrap, "behind")?;
        let mut beginning = TopicPartitionList::new();
        beginning.add_partition_offset(last, 0, Offset::Beginning)?;
        behind.assign(&beginning)?;
        let is_stopping = Arc::new(AtomicBool::new(false));
        let (sender, arrivals) = channel();
        let stop = Arc::clone(&is_stopping);
        let back =
            thread::Builder::new().name("behind".into()).spawn(move || note_arrivals(&behind, &sender, &stop))?;
        let front = CountingProducer::idempotent(bootstrap)?;
        Ok(Self { front, first_topic: first.clone(), hops, back, arrivals, is_stopping })
    }

    /// Sends records in an open loop, and takes for each the time from its intended start until it is read behind the
    /// last hop.
    pub(crate) fn send(&mut self, pace: Pace, interrupt: &Interrupt) -> anyhow::Result<Latencies> {
        let mut intended = Vec::new();
        let mut failure = None;
        pace.keep(interrupt, |number, start| {
            intended.push(start);
            let mut payload = [0; 51];
            payload[..4].copy_from_slice(&number.to_be_bytes());
            failure = self.front.send(BaseRecord::to(&self.first_topic).partition(0).payload(&payload)).err();
            self.front.client.poll(Duration::ZERO);
        })?;
        failure.map_or(Ok(()), Err)?;
        self.front.await_acknowledgements()?;
        let mut latencies = Latencies::default();
        for missing in (0..intended.len()).rev() {
            let Ok((number, arrival)) = self.arrivals.recv_timeout(CALL_TIMEOUT) else {
                latencies.errors = missing + 1;
                break;
            };
            latencies.record(arrival - intended[number as usize]);
        }
        Ok(latencies)
    }

    /// Ends it.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.is_stopping.store(true, Ordering::Release);
        self.hops.into_iter().try_for_each(RunningHop::stop)?;
        self.back.join().map_err(|_| anyhow::Error::msg("the consumer behind the hops panicked"))?
    }
}

/// Tells the number of each record that comes out, and when.
fn note_arrivals(
    consumer: &BaseConsumer,
    arrivals: &Sender<(u32, Instant)>,
    is_stopping: &AtomicBool,
) -> anyhow::Result<()> {
    while !is_stopping.load(Ordering::Acquire) {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let arrived = Instant::now();
            let message = message?;
            let number =
                message.payload().and_then(|payload| payload.first_chunk()).context("a record with a number")?;
            arrivals.send((u32::from_be_bytes(*number), arrived))?;
        }
    }
    Ok(())
}
