use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::watch;

use super::figures::Figures;
use super::{Assignment, TopicPartition};
use crate::Status;
use crate::client_log::ClientLog;

/// What a member of the group is told inside `poll`.
pub(super) struct Callbacks {
    pub(super) generation: AtomicU64,
    pub(super) assignments: watch::Sender<Assignment>,
    pub(super) status: watch::Sender<Status>,
    pub(super) prefix: String,
    /// A replay has none.
    pub(super) figures: Option<Figures>,
    pub(super) log: ClientLog,
}

impl Callbacks {
    /// Of the last assignment.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// These are the partitions from here on.
    pub(super) fn publish(&self, partitions: Vec<TopicPartition>) {
        tracing::info!(partitions = partitions.len(), "partitions of the sink assigned");
        let generation = self.generation.fetch_add(1, Ordering::AcqRel) + 1;
        self.assignments.send_replace(Assignment { generation, partitions });
        self.status.send_replace(Status::Running);
    }
}

impl ClientContext for Callbacks {
    fn stats(&self, statistics: Statistics) {
        self.figures.iter().for_each(|figures| figures.reported(&statistics));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
    }
}

impl ConsumerContext for Callbacks {
    /// Takes the assignment and reads nothing yet: where to begin is asked outside, and the group does not wait for that.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let taken = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let assigned = partitions.elements().into_iter().map(|element| {
                let name = element.topic();
                let topic = name.strip_prefix(&*self.prefix).unwrap_or(name).into();
                TopicPartition { topic, partition: element.partition() }
            });
            self.publish(assigned.collect());
            consumer.assign(&TopicPartitionList::new())
        } else {
            self.publish(Vec::new());
            self.figures.iter().for_each(Figures::withdraw);
            consumer.unassign()
        };
        if let Err(error) = taken {
            self.log.error(&error, "while partitions are assigned");
        }
    }
}
