use std::time::Duration;

use rdkafka::consumer::Consumer;

use super::{RESTORE_POLL, StreamThread};
use crate::StreamsError;
use crate::clock::Stopwatch;
use crate::producer::Failure;
use crate::world::World;

/// How long the last partitions may take to be given back.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the broker may take to describe the group.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

impl StreamThread {
    /// A static member that closes keeps its place in the group; one that unsubscribes leaves, and the others take its
    /// partitions at once.
    pub(super) fn leave(&mut self) -> Result<(), StreamsError> {
        self.consumer.unsubscribe();
        let start = Stopwatch::start();
        // The client says goodbye on its own time, and not at all if it is closed before.
        while (self.epoch().group.is_some() || self.is_described()) && !self.world.wish.to_stop() {
            // What is polled here belongs to others soon, and is not processed.
            self.consumer.poll(RESTORE_POLL);
            if start.elapsed() > LEAVE_TIMEOUT {
                tracing::warn!(
                    "the broker does not confirm the leave: others get the partitions after the session timeout"
                );
                break;
            }
        }
        self.consumer.context().take_trouble().map_or(Ok(()), |failure| match failure {
            Failure::Stop(error) => Err(StreamsError::denied(&error)),
            Failure::Broken(error) => Err(error.into()),
            // What was open is aborted, and done by those who have the partitions now.
            Failure::Abort(_) | Failure::Rebuild(_) | Failure::Rejoin(_) => Ok(()),
        })
    }

    /// Whether the broker counts this thread among the members of the group.
    fn is_described(&self) -> bool {
        let World { graph, settings, thread, .. } = &self.world;
        let slot = settings.slot(graph.name(), *thread);
        // The broker gives a static member its slot's name and a UUID.
        let is_this = |id: &str| id.strip_prefix(&*slot).is_some_and(|rest| rest.starts_with('-') && rest.len() == 37);
        let groups = self.consumer.fetch_group_list(Some(&settings.topic(graph.name())), CALL_TIMEOUT);
        // As long as the broker does not say otherwise, it counts as a member.
        groups.map_or(true, |all| all.groups().iter().any(|group| group.members().iter().any(|it| is_this(it.id()))))
    }
}
