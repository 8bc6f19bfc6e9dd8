use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::StreamThread;
use crate::clock::Stopwatch;
use crate::{Status, StreamsError};

impl StreamThread {
    /// Joins the group anew when it is no use to wait any longer: for partitions that were lost, or for the other half of
    /// a task.
    pub(super) fn look_after_membership(&mut self) -> Result<(), StreamsError> {
        let session_timeout = self.world.settings.session_timeout;
        if self.epoch().group.is_some() {
            self.since_group = Stopwatch::start();
        } else if self.since_group.elapsed() > 2 * session_timeout {
            // Seen after the broker had stood still: the client believes in a group that does not know it any more.
            return Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut).into());
        } else if self.since_group.elapsed() > session_timeout {
            self.world.status.set(Status::Waiting("partitions to be assigned".to_string()));
        }
        let incomplete = self.consumer.context().incomplete();
        if !incomplete.is_empty() && self.epoch().group.is_some() {
            let tasks = incomplete.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let what = format!(
                "the other half of the inputs of tasks {tasks}: instances of the service read different topics, so give all \
                 of them the same options"
            );
            self.world.status.set(Status::Waiting(what.clone()));
            if self.since_join.elapsed() > self.patience {
                self.leave()?;
                return Err(StreamsError::Incomplete(what));
            }
        }
        Ok(())
    }
}
