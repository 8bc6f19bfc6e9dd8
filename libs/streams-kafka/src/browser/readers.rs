use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::Deadline;
use crate::Settings;
use crate::client_log::ClientLog;

/// Clients that read a part of a partition, each for one caller at a time, and are kept for the next.
pub(super) struct Readers {
    settings: Settings,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<BaseConsumer<ClientLog>>,
    lent: usize,
}

/// Goes back when it is dropped.
pub(super) struct Lent<'r> {
    readers: &'r Readers,
    client: Option<BaseConsumer<ClientLog>>,
}

/// A client costs some threads, a connection and what it has fetched.
const MAX_READERS: usize = 4;

impl Readers {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone(), state: Mutex::default(), returned: Condvar::new() }
    }

    /// A reader to assign partitions to; none, if all are lent and none comes back in time.
    pub(super) fn lend(&self, deadline: Deadline) -> KafkaResult<Option<Lent<'_>>> {
        let are_lent = |state: &mut State| state.lent == MAX_READERS;
        let waited = self.returned.wait_timeout_while(self.state(), deadline.left(), are_lent);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Ok(None);
        }
        let client = match state.idle.pop() {
            Some(client) => client,
            None => self.new_client()?,
        };
        state.lent += 1;
        Ok(Some(Lent { readers: self, client: Some(client) }))
    }

    fn new_client(&self) -> KafkaResult<BaseConsumer<ClientLog>> {
        let mut config = self.settings.reader("read_committed");
        // It is wanted for some records, not for all that follow them.
        config.set("queued.min.messages", "1").set("fetch.message.max.bytes", "262144");
        config.create_with_context(ClientLog::default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Lent<'_> {
    type Target = BaseConsumer<ClientLog>;

    fn deref(&self) -> &Self::Target {
        self.client.as_ref().expect("it is taken out only when the loan ends")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let client = self.client.take().filter(|client| client.assign(&TopicPartitionList::new()).is_ok());
        let mut state = self.readers.state();
        state.idle.extend(client);
        state.lent -= 1;
        drop(state);
        self.readers.returned.notify_one();
    }
}
