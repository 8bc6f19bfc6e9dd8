use std::fmt;

use avro_codec::AvroRecord;

use crate::Topic;
use crate::graph::NodeKind;
use crate::refusal::Refusal;
use crate::stream::{Record, Stream};

impl<V: AvroRecord> Stream<'_, V> {
    /// Writes each record to one of a set of topics: to that with the label which `choose` gives, under the key the topic
    /// derives from the value (the `TopicNameExtractor` of Kafka Streams, over a set that is declared). A record whose
    /// label is not among them is refused as [`Refusal::NoRoute`].
    pub fn route<T: PartialEq + Clone + fmt::Debug + Send + Sync + 'static>(
        self,
        topics: &[(T, &Topic<V>)],
        choose: impl Fn(Record<'_, V>) -> T + Send + Sync + 'static,
    ) {
        let labels: Vec<T> = topics.iter().map(|(label, _)| label.clone()).collect();
        let node = self.topology.draft.borrow_mut().node(
            NodeKind::Route,
            String::new(),
            &[self.node],
            Box::new(move |forward, step, record| {
                let chosen = choose(record.typed());
                match labels.iter().position(|label| *label == chosen) {
                    Some(index) => forward.to(index, step, record),
                    None => step.refuse(Refusal::NoRoute(format!("{chosen:?}"))),
                }
            }),
        );
        for (_, topic) in topics {
            self.topology.handle(node).to(topic);
        }
    }
}
