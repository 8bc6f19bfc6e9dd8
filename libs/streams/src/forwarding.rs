use crate::Cleanup;
use crate::graph::{Graph, Node, NodeKind};

/// What Kafka keeps beside a committed offset (`offset.metadata.max.bytes`, 4096), less the stream time.
const MAX_PLACES_BYTES: usize = 4000;
/// The numbers of a place in a topic.
const PLACE_BYTES: usize = 60;

impl Graph {
    /// Whether a sub-topology *forwards*: it sends on under another key ([`Stream::rekey`](crate::Stream::rekey)), filters,
    /// maps and merges, and has nothing to remember. What it sends on follows from the one record it was made from, so a
    /// runner need not tie it to a transaction: whoever reads it knows a repetition by the place of that record.
    ///
    /// The places that are known lie beside a committed offset. Where they would not fit there (some sixty partitions of
    /// input), a sub-topology does not forward.
    pub fn forwards(&self, sub_topology: usize) -> bool {
        let is_stateless = |node: &Node| {
            matches!(node.kind, NodeKind::Source | NodeKind::Filter | NodeKind::Map | NodeKind::Merge | NodeKind::Sink)
        };
        let mut topics = self.repartition_topics(sub_topology).peekable();
        self.nodes_of(sub_topology).all(is_stateless)
            && topics.peek().is_some()
            && topics.all(|topic| self.places_bytes(topic) <= MAX_PLACES_BYTES)
    }

    /// Whether the service sends records on to itself through a topic.
    pub fn is_repartition(&self, topic: &str) -> bool {
        self.outputs().any(|output| output.name == topic && output.cleanup == Cleanup::Purged)
    }

    /// The topics it sends on to.
    fn repartition_topics(&self, sub_topology: usize) -> impl Iterator<Item = &str> {
        let sinks = self.nodes_of(sub_topology).filter(|node| node.kind == NodeKind::Sink);
        sinks.map(|node| &*node.label).filter(|topic| self.is_repartition(topic))
    }

    /// What the reader of a repartition topic has to keep at most.
    fn places_bytes(&self, repartition_topic: &str) -> usize {
        let inputs = self.sources.iter().filter(|source| {
            let mut topics = self.repartition_topics(self.node_sub_topology(source.node));
            topics.any(|topic| topic == repartition_topic)
        });
        let partitions = |count: i32| usize::try_from(count).unwrap_or_default();
        inputs.map(|input| partitions(input.topic.partitions) * (input.topic.name.len() + PLACE_BYTES)).sum()
    }

    fn nodes_of(&self, sub_topology: usize) -> impl Iterator<Item = &Node> {
        let nodes = self.nodes().iter().enumerate();
        nodes.filter(move |(id, _)| self.node_sub_topology(*id) == sub_topology).map(|(_, node)| node)
    }
}
