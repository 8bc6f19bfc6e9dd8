use std::{mem, thread};

use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use streams::Cleanup;

use crate::clock::Stopwatch;
use crate::epoch::Epoch;
use crate::topics;

/// Deletes what is left behind in repartition topics. They are kept without limit, so that no outage loses a record, and
/// have only one reader: what that has committed past is of no more use to it. For one interval it stays, for whoever wants
/// to have a look.
pub(crate) struct Purge {
    last: Stopwatch,
    /// What was committed when it was last looked at.
    noted: TopicPartitionList,
    deleted: TopicPartitionList,
}

impl Purge {
    pub(crate) fn new() -> Self {
        Self { last: Stopwatch::start(), noted: TopicPartitionList::new(), deleted: TopicPartitionList::new() }
    }

    /// Called now and then; asks the broker from a thread of its own, so that nothing waits for the answer.
    pub(crate) fn turn(&mut self, epoch: &Epoch) {
        if self.last.elapsed() < epoch.settings.purge_interval {
            return;
        }
        self.last = Stopwatch::start();
        let before = mem::replace(&mut self.noted, committed(epoch));
        if before.count() == 0 || before == self.deleted {
            return;
        }
        self.deleted = before.clone();
        let settings = epoch.settings.clone();
        let spawned = thread::Builder::new().name("purge".to_string()).spawn(move || {
            if let Err(error) = topics::purge(&settings, &before) {
                tracing::warn!(%error, "a repartition topic could not be purged; it is tried again later");
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for the purge of repartition topics");
        }
    }
}

fn committed(epoch: &Epoch) -> TopicPartitionList {
    let mut before = TopicPartitionList::new();
    let purged: Vec<&str> =
        epoch.graph.inputs().filter(|topic| topic.cleanup == Cleanup::Purged).map(|topic| &*topic.name).collect();
    for (id, assigned) in &epoch.tasks {
        for (topic, offset) in assigned.committed_positions().filter(|(topic, _)| purged.contains(topic)) {
            let added = before.add_partition_offset(&epoch.settings.topic(topic), id.partition, Offset::Offset(offset));
            added.expect("a position is a plain offset");
        }
    }
    before
}
