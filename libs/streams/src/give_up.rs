use avro_codec::AvroRecord;

use crate::graph::{NodeKind, dead_letters};
use crate::refusal::Refusal;
use crate::stream::{Record, Stream};
use crate::{Timestamp, Trace};

/// A record that the service itself has given up on, or that a timer made and nobody could handle: it belongs into the
/// dead letters, while everything else that was done with it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The key.
    pub key: String,
    /// The value in the wire format.
    pub value: Vec<u8>,
    /// Event time.
    pub timestamp: Timestamp,
    /// Why.
    pub cause: Refusal,
    /// The store whose timer made the record; none if it follows from a record of an input.
    pub store: Option<String>,
    /// The trace it belongs to.
    pub trace: Option<Trace>,
}

/// A type of values that may have to be put aside.
#[derive(Debug)]
pub(crate) struct GivenUpType {
    pub(crate) type_name: &'static str,
    pub(crate) schema: String,
}

impl<V: AvroRecord> Stream<'_, V> {
    /// Gives these records up: they go to the dead letters of the service, each with the value it has here and the cause
    /// in the headers, in the transaction of everything else that is done with them. The cause counts in a metric, too.
    ///
    /// The values are encoded with the schema of a topic that the topology writes or reads; there must be one of this type.
    pub fn to_dead_letters(self, cause: impl Fn(Record<'_, V>) -> &'static str + Send + Sync + 'static) {
        let mut draft = self.topology.draft.borrow_mut();
        draft.given_up.push(GivenUpType { type_name: std::any::type_name::<V>(), schema: V::schema() });
        let index = draft.given_up.len() - 1;
        draft.node(
            NodeKind::Sink,
            dead_letters(self.topology.name()),
            &[self.node],
            Box::new(move |_, step, record| {
                let value = record.typed::<V>().value;
                step.give_up(index, value, record, Refusal::GivenUp(cause(record.typed())));
            }),
        );
    }
}
