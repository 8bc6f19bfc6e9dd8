use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use streams::Timestamp;

use crate::clock::{Stopwatch, wall_clock};
use crate::membership::Membership;
use crate::question::{Offsets, Question};

/// Knows which tasks have read everything that was waiting for them, which is when timers by the wall clock may fire: at
/// assignment, and again whenever the thread did not poll for a while (a stopped process, a debugger, an outage).
#[derive(Default)]
pub(crate) struct CaughtUp {
    ends: Ends,
    /// By both clocks: one stands still while the machine sleeps, the other can be set.
    last_poll: Option<(Stopwatch, Timestamp)>,
}

/// Where the inputs of each task ended, for what a read_committed client can see.
#[derive(Default)]
enum Ends {
    #[default]
    Unknown,
    Asked(Question),
    Known(Offsets),
}

const POLLING_GAP: Duration = Duration::from_secs(1);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

impl CaughtUp {
    /// Notes that the thread has polled; after a gap no task counts as caught up. To be called before any timer fires: a
    /// process stopped in the middle of a poll comes back with a late clock and the records of one partition.
    pub(crate) fn polled(&mut self, consumer: &BaseConsumer<Membership>) {
        let now = wall_clock();
        let was_away = |(last, at): (Stopwatch, Timestamp)| {
            let millis = now.as_millis().abs_diff(at.as_millis());
            last.elapsed().max(Duration::from_millis(millis)) > POLLING_GAP
        };
        if self.last_poll.is_some_and(was_away) {
            self.forget(consumer);
        }
        self.last_poll = Some((Stopwatch::start(), now));
    }

    /// No task counts as caught up any more, and what was fetched before does not either.
    pub(crate) fn forget(&mut self, consumer: &BaseConsumer<Membership>) {
        self.ends = Ends::Unknown;
        consumer.context().forget_fetched();
        consumer.context().epoch().tasks.values_mut().for_each(|assigned| assigned.task.set_caught_up(None));
    }

    /// Called when the input is drained: looks which tasks have come to where their inputs ended.
    pub(crate) fn drained(&mut self, consumer: &BaseConsumer<Membership>) {
        let membership = consumer.context();
        let mut epoch = membership.epoch();
        // What a held partition has fetched was not processed.
        let held: Vec<i32> = epoch.held.keys().map(|(_, partition)| *partition).collect();
        for (_, assigned) in epoch.tasks.iter_mut().filter(|(id, _)| held.contains(&id.partition)) {
            assigned.task.set_caught_up(None);
        }
        if epoch.tasks.values().all(|assigned| !assigned.is_ready() || assigned.task.is_caught_up()) {
            return;
        }
        match &self.ends {
            Ends::Unknown => {
                let inputs = epoch
                    .tasks
                    .iter()
                    .flat_map(|(id, assigned)| assigned.inputs().map(|(topic, _)| (*id, epoch.settings.topic(topic))));
                let end = |client: &BaseConsumer, topic: &str, partition| {
                    client.fetch_watermarks(topic, partition, CALL_TIMEOUT).map(|(_, end)| end)
                };
                self.ends = Ends::Asked(Question::ask(&epoch.settings, inputs.collect(), end));
            }
            Ends::Asked(question) => match question.answer() {
                None => {}
                Some(Ok(ends)) => self.ends = Ends::Known(ends),
                Some(Err(_)) => self.ends = Ends::Unknown,
            },
            Ends::Known(ends) => {
                let settings = epoch.settings.clone();
                for (id, assigned) in &mut epoch.tasks {
                    let has_read = |(topic, end): &(String, i64)| {
                        let next = assigned
                            .inputs()
                            .find(|(input, _)| settings.topic(input) == *topic)
                            .map_or(0, |(_, next)| next);
                        next.max(membership.fetched_to(topic, id.partition).unwrap_or(0)) >= *end
                    };
                    let is_waiting =
                        assigned.is_ready() && !assigned.task.is_caught_up() && !held.contains(&id.partition);
                    if is_waiting && ends.get(id).is_some_and(|ends| ends.iter().all(has_read)) {
                        assigned.task.set_caught_up(Some(wall_clock()));
                    }
                }
            }
        }
    }
}
