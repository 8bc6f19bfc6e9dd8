use std::collections::HashMap;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use streams::TaskId;

use crate::Settings;

/// A question about the inputs of tasks, asked from a thread and a connection of its own: on the consumer's, every
/// question would wait behind a fetch.
pub(crate) struct Question {
    answer: Receiver<Result<Offsets, KafkaError>>,
}

/// For each task an offset of each input, named as the broker knows it.
pub(crate) type Offsets = HashMap<TaskId, Vec<(String, i64)>>;

impl Question {
    /// Asks `offset` for each of the inputs, in a client that reads what is committed.
    pub(crate) fn ask(
        settings: &Settings,
        inputs: Vec<(TaskId, String)>,
        offset: fn(&BaseConsumer, &str, i32) -> Result<i64, KafkaError>,
    ) -> Self {
        let (sender, answer) = sync_channel(1);
        let client = settings.reader("read_committed");
        let look = move || {
            let client: BaseConsumer = client.create()?;
            let mut offsets = Offsets::new();
            for (id, topic) in inputs {
                let offset = offset(&client, &topic, id.partition)?;
                offsets.entry(id).or_default().push((topic, offset));
            }
            Ok(offsets)
        };
        // Whoever asked may have lost interest; and a thread that cannot be started answers by hanging up.
        let _ = thread::Builder::new().name("question".to_string()).spawn(move || sender.send(look()));
        Self { answer }
    }

    /// The answer, as soon as it is there.
    pub(crate) fn answer(&self) -> Option<Result<Offsets, KafkaError>> {
        match self.answer.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(KafkaError::Global(RDKafkaErrorCode::Fail))),
        }
    }
}
