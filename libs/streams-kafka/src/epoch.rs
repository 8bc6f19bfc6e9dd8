//! The exactly-once protocol of one stream thread.
//!
//! An *epoch* is what lies between two commits: the records read, the changes they make to stores, the records they
//! send. It is one transaction. [`Epoch::process`] adds a record, [`Epoch::commit`] makes the whole of it true at once,
//! [`Epoch::abort`] makes none of it have happened.

mod dead_letters;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use avro_codec::{SchemaId, Schemas, Status as SchemaStatus};
use rdkafka::Message;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use streams::{Checkpoint, Graph, Input, Output, TaskId, Timestamp, Visibility};

use crate::Settings;
use crate::assigned::Assigned;
use crate::clock::{Stopwatch, wall_clock};
use crate::forward::{Forwarder, Origin};
use crate::headers::{FORWARDED_FROM, header, processed_at};
use crate::metrics::Metrics;
use crate::outgoing::output_headers;
use crate::pace::Pace;
use crate::producer::{Failure, Outgoing, TransactionalProducer};
use crate::spans::EpochSpans;
use crate::view::Shares;

/// The open epoch, and all it is made of.
pub(crate) struct Epoch {
    pub(crate) graph: Arc<Graph>,
    pub(crate) settings: Settings,
    pub(crate) schemas: Schemas,
    pub(crate) shares: Arc<Shares>,
    pub(crate) metrics: Metrics,
    pub(crate) producer: TransactionalProducer,
    /// Of a graph that forwards.
    pub(crate) forwarder: Option<Forwarder>,
    pub(crate) tasks: BTreeMap<TaskId, Assigned>,
    /// The generation in which the records of the open epoch were polled.
    pub(crate) group: Option<ConsumerGroupMetadata>,
    /// Partitions that wait for a schema: where they go on, and what they wait for.
    pub(crate) held: BTreeMap<(String, i32), SchemaId>,
    spans: EpochSpans,
    names: Names,
    progress: Progress,
    pace: Option<Pace>,
    outputs: Vec<Output>,
}

/// What the open epoch holds.
#[derive(Default)]
struct Progress {
    records: usize,
    opened_at: Option<Stopwatch>,
    /// It sends a record, and somebody waits for that.
    is_awaited: bool,
    /// It changes a store.
    is_changed: bool,
    /// It puts a record aside, which may be taken the next time: that depends on more than the record.
    is_refusing: bool,
    /// The topic of its first record, and when that was really written.
    first: Option<(String, Timestamp)>,
}

/// Topic names as the broker knows them.
struct Names {
    sinks: Vec<String>,
    /// Which of the sinks are repartition topics.
    is_repartition: Vec<bool>,
    changelogs: Vec<String>,
    /// Which of the changelogs others read, too.
    is_public: Vec<bool>,
    dead_letters: String,
}

/// A position that moved past records that changed nothing is committed after this long.
const POSITION_INTERVAL: Duration = Duration::from_secs(5);

impl Epoch {
    pub(crate) fn new(
        graph: Arc<Graph>,
        settings: Settings,
        schemas: Schemas,
        shares: Arc<Shares>,
        producer: TransactionalProducer,
        forwarder: Option<Forwarder>,
    ) -> Self {
        let names = Names {
            sinks: graph.outputs().map(|topic| settings.topic(&topic.name)).collect(),
            is_repartition: graph.outputs().map(|topic| graph.is_repartition(&topic.name)).collect(),
            changelogs: graph.changelogs().map(|topic| settings.topic(&topic.name)).collect(),
            is_public: graph.changelogs().map(|topic| topic.visibility == Visibility::Public).collect(),
            dead_letters: settings.topic(&graph.dead_letters().name),
        };
        let metrics = Metrics::new(graph.name());
        metrics.begin();
        let spans = EpochSpans::new(settings.tracing.clone(), &settings.topic(graph.name()));
        Self {
            graph,
            settings,
            schemas,
            shares,
            metrics,
            producer,
            forwarder,
            tasks: BTreeMap::new(),
            group: None,
            held: BTreeMap::new(),
            spans,
            names,
            progress: Progress::default(),
            pace: None,
            outputs: Vec::new(),
        }
    }

    /// Processes one record. Its outputs are on their way when this returns; its changes of state lie in its task.
    ///
    /// What cannot be handled goes to the dead letters in the same transaction, so it is neither lost nor in the way.
    pub(crate) fn process(&mut self, message: &BorrowedMessage<'_>, now: Timestamp) -> Result<(), Failure> {
        let topic = message.topic().strip_prefix(&*self.settings.topic_prefix).unwrap_or(message.topic());
        let (partition, offset) = (message.partition(), message.offset());
        let Some(sub_topology) = self.graph.sub_topology(topic) else { return Ok(()) };
        let id = TaskId { sub_topology, partition };
        let Some(assigned) = self.tasks.get_mut(&id) else { return Ok(()) };
        if assigned.is_past(topic, offset) || !assigned.is_open(topic) {
            return Ok(());
        }
        if self.held.keys().any(|(held, at)| held == topic && *at == partition) {
            return Ok(());
        }
        let forwarded_from = header(message, FORWARDED_FROM).filter(|_| self.graph.is_repartition(topic));
        let forwarded_from = forwarded_from.and_then(Origin::parse);
        if forwarded_from.as_ref().is_some_and(|origin| assigned.has_seen(topic, origin)) {
            assigned.advance(topic, offset + 1);
            self.progress.opened_at.get_or_insert_with(Stopwatch::start);
            self.metrics.repetitions.add(1, &self.metrics.labels);
            return Ok(());
        }
        if let Some(SchemaStatus::Unresolved(schema)) = message.payload().map(|bytes| self.schemas.status(bytes)) {
            self.held.insert((topic.to_string(), partition), schema);
            return Ok(());
        }
        let limits = self.settings.limits(now);
        let trace = self.spans.begin(message);
        let input = Input {
            topic,
            key: message.key(),
            value: message.payload(),
            timestamp: Timestamp(message.timestamp().to_millis().unwrap_or(0)),
            trace: trace.as_ref(),
        };
        self.outputs.clear();
        let processed = assigned.task.process(input, limits, &mut self.outputs);
        let given_up = assigned.task.take_given_up();
        assigned.fire(None, limits, &mut self.outputs)?;
        let by_timers = assigned.task.take_given_up();
        let origin = assigned.origin(topic, offset);
        if origin.is_some() && !self.outputs.is_empty() {
            self.settle(id)?;
        }
        let Some(assigned) = self.tasks.get_mut(&id) else { return Ok(()) };
        assigned.advance(topic, offset + 1);
        forwarded_from.iter().for_each(|origin| assigned.note(topic, origin));
        self.progress.is_changed |= assigned.task.changes().next().is_some();
        self.progress.opened_at.get_or_insert_with(Stopwatch::start);
        if self.progress.records == 0 {
            self.progress.first = processed_at(message).map(|written| (topic.to_string(), written));
        }
        self.progress.records += 1;
        self.send_outputs(origin.as_ref(), now)?;
        self.put_aside(&given_up, Some(message), now)?;
        self.put_aside(&by_timers, None, now)?;
        if let Err(refusal) = processed {
            self.progress.is_refusing |= origin.is_some();
            self.refuse(message, refusal, now)?;
        }
        if !self.progress.is_awaited && !self.progress.is_changed {
            self.spans.end();
        }
        Ok(())
    }

    /// Fires the timers by the wall clock that are due. To be called when the input is drained, so that none fires while
    /// the record that would have stopped it is waiting.
    pub(crate) fn fire_timers(&mut self, now: Timestamp) -> Result<(), Failure> {
        let limits = self.settings.limits(now);
        self.outputs.clear();
        let mut given_up = Vec::new();
        for assigned in self.tasks.values_mut().filter(|assigned| assigned.is_ready()) {
            if assigned.task.next_deadline().is_some_and(|deadline| deadline <= now) {
                assigned.fire(Some(now), limits, &mut self.outputs)?;
                given_up.extend(assigned.task.take_given_up());
                assigned.touch();
                self.progress.is_changed |= assigned.task.changes().next().is_some();
                self.progress.opened_at.get_or_insert_with(Stopwatch::start);
            }
        }
        self.send_outputs(None, now)?;
        self.put_aside(&given_up, None, now)
    }

    /// Whether it is time to commit: somebody waits for an output, nothing more is there to go with it and the last commit
    /// is not too near; the epoch is full; or what nobody waits for has lain long enough.
    pub(crate) fn is_due(&self, is_drained: bool) -> bool {
        let Progress { records, opened_at, is_awaited, is_changed, .. } = self.progress;
        let age = opened_at.map(|opened_at| opened_at.elapsed());
        match age {
            None => false,
            Some(_) if is_awaited && is_drained => self.until_floor().is_zero(),
            Some(_) if records >= self.settings.max_epoch_records && (is_awaited || is_changed) => true,
            Some(age) if is_awaited || is_changed => age >= self.settings.commit_interval,
            Some(age) => age >= POSITION_INTERVAL,
        }
    }

    /// Whether the transaction comes near its timeout, which nothing that is waiting may be allowed to bring about.
    pub(crate) fn is_overdue(&self) -> bool {
        self.progress.opened_at.is_some_and(|opened_at| opened_at.elapsed() > self.settings.transaction_timeout() / 3)
    }

    /// Makes the epoch true. This is the exactly-once protocol, and its order is the whole of it:
    ///
    /// 1. Every record of the transaction is acknowledged. A commit with a record in flight costs 100 ms, and offsets
    ///    sent before the acknowledgements ruin the tail (facts: ADR 0003). So is every record that was sent on without a
    ///    transaction (`forward.rs`): no position moves past what is not written.
    /// 2. The positions of the input join the transaction, under the group generation in which the records were polled.
    ///    The broker does not check who owns a partition, only the generation; so it must be that one, and if it is over,
    ///    the broker refuses the positions, and with them all the rest. With the position of a repartition topic goes
    ///    what has been seen of it, so that a record that was sent on twice is processed once.
    /// 3. The transaction is committed. From here on it has happened.
    /// 4. Only now do the changes become the state that readers see, and only then are waiters woken: nobody ever reads
    ///    what may still be aborted.
    ///
    /// Where a step fails, [`Epoch::abort`] follows and the records are read again.
    pub(crate) fn commit(&mut self) -> Result<(), Failure> {
        // Between a revoke and the next assignment there is nothing to commit.
        let Some(group) = &self.group else { return Ok(()) };
        if self.progress.opened_at.is_none() {
            return Ok(());
        }
        let start = Stopwatch::start();
        let now = wall_clock();
        for (place, assigned) in self.tasks.values().enumerate() {
            for (changelog, key, value) in assigned.task.changes() {
                self.producer.send(Outgoing {
                    topic: &self.names.changelogs[changelog],
                    partition: Some(assigned.task.id().partition),
                    key: Some(key.as_bytes()),
                    value,
                    timestamp: now.as_millis(),
                    headers: self.names.is_public[changelog].then(|| output_headers(None, now)),
                    mark: self.names.mark(place, changelog),
                })?;
            }
        }
        self.producer.await_acknowledgements()?;
        self.forwarder.as_ref().map_or(Ok(()), Forwarder::await_acknowledgements)?;
        self.producer.send_offsets(&self.positions(), group)?;
        let ending = Stopwatch::start();
        self.producer.commit()?;
        self.metrics.end_transaction_seconds.record(ending.elapsed().as_secs_f64(), &self.metrics.labels);
        let landed = self.producer.take_offsets();
        for (place, assigned) in self.tasks.values_mut().enumerate() {
            let checkpoint = |topic: &str| {
                let changelog = self.names.changelog(&self.settings.topic(topic))?;
                let offset = landed.get(&self.names.mark(place, changelog))? + 1;
                Some(Checkpoint { offset, timestamp: now.as_millis() })
            };
            assigned.commit(checkpoint, |store, key| self.shares.wake(store, key)).map_err(Failure::Broken)?;
        }
        self.metrics.epoch_records.record(self.progress.records as u64, &self.metrics.labels);
        self.metrics.records.add(self.progress.records as u64, &self.metrics.labels);
        self.metrics.commit_seconds.record(start.elapsed().as_secs_f64(), &self.metrics.labels);
        self.progress.first.iter().for_each(|(topic, written)| self.metrics.hop(topic, *written));
        self.pace = Some(Pace::after(self.progress.records));
        self.progress = Progress::default();
        self.spans.end();
        Ok(())
    }

    /// Makes the epoch never have happened: the transaction is aborted, the changes are dropped, the positions are where
    /// they were. The caller moves the consumer back to them.
    pub(crate) fn abort(&mut self) -> Result<(), Failure> {
        self.metrics.aborts.add(1, &self.metrics.labels);
        self.forget();
        self.producer.abort()
    }

    /// Forgets the epoch in memory; the transaction is the caller's matter.
    pub(crate) fn forget(&mut self) {
        self.progress = Progress::default();
        self.spans.abort();
        self.held.clear();
        for assigned in self.tasks.values_mut() {
            assigned.task.abort();
            assigned.rewind();
        }
    }

    /// Gives all tasks back. What they were is kept for a while: most come back.
    pub(crate) fn withdraw_all(&mut self, mut suspend: impl FnMut(Assigned)) {
        for (id, assigned) in std::mem::take(&mut self.tasks) {
            for restoration in assigned.task.restorations() {
                if let Some(share) = assigned.task.store(&restoration.store) {
                    self.shares.withdraw(&restoration.store, id.partition, &share);
                }
            }
            suspend(assigned);
        }
        self.held.clear();
    }

    /// How long the thread may sleep in its next poll.
    pub(crate) fn patience(&self, now: Timestamp, at_most: Duration) -> Duration {
        let until_timer = self.tasks.values().filter_map(|assigned| assigned.task.next_deadline()).min().map(|due| {
            Duration::from_millis(u64::try_from(due.as_millis().saturating_sub(now.as_millis())).unwrap_or(0))
        });
        let until_commit = self.progress.opened_at.map(|opened_at| {
            let interval = if self.progress.is_changed { self.settings.commit_interval } else { POSITION_INTERVAL };
            interval.saturating_sub(opened_at.elapsed())
        });
        // A poll waits for whole milliseconds.
        let until_floor = self.progress.is_awaited.then(|| self.until_floor().as_micros().div_ceil(1000));
        let until_floor = until_floor.map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)));
        [until_timer, until_commit, until_floor].into_iter().flatten().fold(at_most, Duration::min)
    }

    /// How long the next commit has to wait.
    fn until_floor(&self) -> Duration {
        self.pace.as_ref().map_or(Duration::ZERO, Pace::until_floor)
    }

    /// Where every input stands that moved, with what whoever goes on from there has to know. A transaction that only a timer
    /// made carries the current positions of its task, so that it is fenced like any other.
    fn positions(&self) -> TopicPartitionList {
        let mut positions = TopicPartitionList::new();
        for assigned in self.tasks.values() {
            for (topic, offset, metadata) in assigned.moved() {
                let (topic, partition) = (self.settings.topic(topic), assigned.task.id().partition);
                let mut element = positions.add_partition(&topic, partition);
                element.set_offset(Offset::Offset(offset)).expect("a position is a plain offset");
                element.set_metadata(metadata.to_string());
            }
        }
        positions
    }

    /// Commits what has to be known before a task sends anything on: which incarnation this is, and which records before
    /// were put aside. If another owner took one of those, its reader would hold it for a repetition.
    fn settle(&mut self, id: TaskId) -> Result<(), Failure> {
        if self.progress.is_refusing || self.tasks.get(&id).is_some_and(Assigned::is_incarnating) {
            self.progress.opened_at.get_or_insert_with(Stopwatch::start);
            self.commit()?;
        }
        Ok(())
    }

    /// Sends what is to be sent. `origin` is the record that it is made from, where a task forwards.
    fn send_outputs(&mut self, origin: Option<&Origin<'_>>, now: Timestamp) -> Result<(), Failure> {
        for (index, output) in self.outputs.iter().enumerate() {
            let trace = self.spans.of_output(output);
            let record = Outgoing {
                topic: &self.names.sinks[output.sink],
                partition: None,
                key: Some(output.key.as_bytes()),
                value: Some(&output.value),
                timestamp: output.timestamp.as_millis(),
                headers: Some(output_headers(trace.as_ref(), now)),
                mark: 0,
            };
            match (&mut self.forwarder, origin) {
                (Some(forwarder), Some(origin)) if self.names.is_repartition[output.sink] => {
                    forwarder.send(record, &origin.number(index))?;
                }
                _ => {
                    self.progress.is_awaited = true;
                    self.producer.send(record)?;
                }
            }
        }
        Ok(())
    }
}

impl Names {
    /// Which changelog has this name.
    fn changelog(&self, topic: &str) -> Option<usize> {
        self.changelogs.iter().position(|name| name == topic)
    }

    /// A number above 0 for what the task in this place writes to a changelog.
    fn mark(&self, place: usize, changelog: usize) -> usize {
        1 + place * self.changelogs.len() + changelog
    }
}
