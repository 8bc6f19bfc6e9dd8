use std::any::{Any, TypeId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use avro_codec::{DecodeError, Schemas};

use crate::draft::GraphDraft;
use crate::give_up::GivenUpType;
use crate::global::GlobalDefinition;
use crate::step::Step;
use crate::store::Changelog;
use crate::stream::Record;
use crate::topology::Clock;
use crate::{Timestamp, TopicDeclaration, Trace};

/// A [`Topology`](crate::Topology) that was checked and frozen: what the tasks of all threads share.
#[derive(Debug)]
pub struct Graph {
    name: String,
    nodes: Vec<Node>,
    pub(crate) sources: Vec<SourceDefinition>,
    pub(crate) sinks: Vec<SinkDefinition>,
    pub(crate) stores: Vec<StoreDefinition>,
    pub(crate) timers: Vec<TimerDefinition>,
    /// The topic whose schema each type of given up values is encoded with.
    pub(crate) given_up: Vec<TopicDeclaration>,
    pub(crate) globals: Vec<GlobalDefinition>,
    /// The sub-topology of every node: what is connected by streams or by stores works on the same partitions.
    sub_topology_of: Vec<usize>,
}

/// Why a topology cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// One name, two Rust types.
    #[error("`{0}` is used with two different value types")]
    TwoTypes(String),
    /// Every topic has one writer.
    #[error("`{topic}` is written by `{writer}` alone; this service must not write it")]
    ForeignSink {
        /// The topic.
        topic: String,
        /// Its declared writer.
        writer: String,
    },
    /// Inputs that meet in a task must be partitioned alike.
    #[error("`{0}` and `{1}` meet in one sub-topology and must have the same number of partitions")]
    NotCopartitioned(String, String),
    /// A store is what a topic holds for each key, so the topic must keep just that.
    #[error("`{0}` is a store of this service and must be compacted")]
    NotCompacted(String),
    /// Two processors would write to one store.
    #[error("the name `{0}` is used for two joins")]
    UsedTwice(String),
    /// A dead letter is encoded with the schema of a topic.
    #[error("no topic of the service has values of the type `{0}`, so there is no schema to put them aside with")]
    NoSchema(&'static str),
    /// A handler looks up what this topology does not read.
    #[error("`{0}` is a global table of another topology")]
    ForeignTable(String),
    /// There is nothing to run.
    #[error("the topology reads no topic")]
    NoSource,
}

pub(crate) type NodeId = usize;
pub(crate) type Operator = Box<dyn Fn(&Forward<'_>, &Step<'_>, Erased<'_>) + Send + Sync>;
pub(crate) type Decode =
    Box<dyn Fn(&Schemas, &[u8], &mut dyn FnMut(&dyn Any)) -> Result<(), DecodeError> + Send + Sync>;
type Since = Box<dyn Fn(&Schemas, &str, &[u8]) -> Result<Option<Timestamp>, DecodeError> + Send + Sync>;

pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) label: String,
    pub(crate) parents: Vec<NodeId>,
    pub(crate) children: Vec<NodeId>,
    pub(crate) operator: Operator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    Source,
    Bootstrap,
    Table,
    Timer,
    Filter,
    Map,
    Merge,
    Join,
    Process,
    Route,
    Sink,
}

pub(crate) struct SourceDefinition {
    pub(crate) topic: TopicDeclaration,
    pub(crate) type_id: TypeId,
    pub(crate) node: NodeId,
    /// The store this source keeps, if it is a table.
    pub(crate) table: Option<String>,
    pub(crate) decode: Decode,
}

#[derive(Debug)]
pub(crate) struct SinkDefinition {
    pub(crate) topic: TopicDeclaration,
    pub(crate) subject: String,
}

#[derive(Debug)]
pub(crate) struct StoreDefinition {
    pub(crate) name: String,
    pub(crate) schema: String,
    pub(crate) changelog: Changelog,
    pub(crate) type_id: TypeId,
    pub(crate) nodes: Vec<NodeId>,
}

pub(crate) struct TimerDefinition {
    pub(crate) store: String,
    pub(crate) clock: Clock,
    pub(crate) after: Duration,
    pub(crate) node: NodeId,
    /// Since when an entry waits: of its key and its value.
    pub(crate) since: Since,
    pub(crate) decode: Decode,
    /// Whether an entry whose time has come leaves its store, whatever becomes of it further on.
    pub(crate) removes: bool,
}

/// A record whose value type only the processors know.
#[derive(Clone, Copy)]
pub(crate) struct Erased<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a dyn Any,
    pub(crate) timestamp: Timestamp,
    /// The trace in which what follows from it goes on.
    pub(crate) trace: Option<&'a Trace>,
    /// The trace of the record that it was joined with.
    pub(crate) joined: Option<&'a Trace>,
}

/// Hands a record to what comes after a node.
pub(crate) struct Forward<'g> {
    graph: &'g Graph,
    node: NodeId,
}

impl Graph {
    pub(crate) fn new(name: String, draft: GraphDraft) -> Result<Self, TopologyError> {
        let GraphDraft { nodes, sources, sinks, stores, timers, given_up, globals, mut errors } = draft;
        if sources.is_empty() {
            return Err(TopologyError::NoSource);
        }
        if !errors.is_empty() {
            return Err(errors.swap_remove(0));
        }
        let sub_topology_of = sub_topologies(&nodes, &stores);
        let mut graph =
            Self { name, nodes, sources, sinks, stores, timers, given_up: Vec::new(), globals, sub_topology_of };
        graph.check_copartitioning()?;
        graph.check_published()?;
        for GivenUpType { type_name, schema } in given_up {
            let topic = graph.topic_with(&schema).ok_or(TopologyError::NoSchema(type_name))?;
            graph.given_up.push(topic);
        }
        Ok(graph)
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The topics read.
    pub fn inputs(&self) -> impl Iterator<Item = &TopicDeclaration> {
        self.sources.iter().map(|source| &source.topic)
    }

    /// The topics of the global tables, all partitions of which are read beside the inputs.
    pub fn global_topics(&self) -> impl Iterator<Item = &TopicDeclaration> {
        self.globals.iter().map(|table| &table.topic)
    }

    /// The topics written by `to` and `rekey`, in the order of [`Output::sink`](crate::Output).
    pub fn outputs(&self) -> impl Iterator<Item = &TopicDeclaration> {
        self.sinks.iter().map(|sink| &sink.topic)
    }

    /// The topic that the records of the service that could not be handled go to.
    pub fn dead_letters(&self) -> TopicDeclaration {
        TopicDeclaration::dead_letters(&self.name)
    }

    /// The topics whose schemas the records are encoded with that the service [gives up](crate::Stream::to_dead_letters);
    /// some of them may be topics it only reads.
    pub fn given_up(&self) -> impl Iterator<Item = &TopicDeclaration> {
        self.given_up.iter()
    }

    /// The topics that the service writes the changes of its stores to, in the order of the stores.
    pub fn changelogs(&self) -> impl Iterator<Item = TopicDeclaration> {
        (0..self.stores.len()).filter_map(|store| self.changelog(store))
    }

    /// The sub-topology that reads `topic`.
    pub fn sub_topology(&self, topic: &str) -> Option<usize> {
        let source = self.sources.iter().find(|source| source.topic.name == topic)?;
        Some(self.sub_topology_of[source.node])
    }

    /// Into how many partitions the inputs of a sub-topology are split, and with them its tasks and stores.
    pub fn partitions(&self, sub_topology: usize) -> i32 {
        let mut sources = self.sources.iter().filter(|source| self.sub_topology_of[source.node] == sub_topology);
        sources.next().map_or(crate::DEFAULT_PARTITIONS, |source| source.topic.partitions)
    }

    /// Whether this input waits, when a task is assigned, until what is there in others of the task has been read.
    pub fn is_held_back(&self, topic: &str) -> bool {
        let is_first =
            |source: &&SourceDefinition| matches!(self.nodes[source.node].kind, NodeKind::Bootstrap | NodeKind::Table);
        let mut first = self.sources.iter().filter(is_first).map(|source| &*source.topic.name);
        !first.clone().any(|name| name == topic)
            && first.any(|name| self.sub_topology(name) == self.sub_topology(topic))
    }

    /// Whether a value of the table `topic` is one its task would have taken.
    pub fn table_takes(&self, topic: &str, schemas: &Schemas, value: &[u8]) -> bool {
        let source = self.sources.iter().find(|source| source.topic.name == topic);
        source.is_some_and(|source| (source.decode)(schemas, value, &mut |_| {}).is_ok())
    }

    pub(crate) fn changelog(&self, store: usize) -> Option<TopicDeclaration> {
        let definition = &self.stores[store];
        match &definition.changelog {
            Changelog::Source => None,
            Changelog::Published(topic) => Some(topic.clone()),
            Changelog::Own => Some(TopicDeclaration {
                name: format!("{}-{}-changelog", self.name, definition.name),
                partitions: self.partitions(self.store_sub_topology(store)),
                cleanup: crate::Cleanup::Compacted,
                writer: self.name.clone(),
                visibility: crate::Visibility::Private,
                schema: Some(definition.schema.clone()),
            }),
        }
    }

    pub(crate) fn store_sub_topology(&self, store: usize) -> usize {
        self.sub_topology_of[self.stores[store].nodes[0]]
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn node_sub_topology(&self, node: NodeId) -> usize {
        self.sub_topology_of[node]
    }

    /// Runs `node` on a record, and through it everything after.
    pub(crate) fn run(&self, node: NodeId, step: &Step<'_>, record: Erased<'_>) {
        (self.nodes[node].operator)(&Forward { graph: self, node }, step, record);
    }

    /// A topic with values of this schema, one that the service writes if there is one.
    fn topic_with(&self, schema: &str) -> Option<TopicDeclaration> {
        let written = self.outputs().cloned().chain(self.changelogs());
        written.chain(self.inputs().cloned()).find(|topic| topic.schema.as_deref() == Some(schema))
    }

    fn check_copartitioning(&self) -> Result<(), TopologyError> {
        let mut first: BTreeMap<usize, &TopicDeclaration> = BTreeMap::new();
        for source in &self.sources {
            let other = *first.entry(self.sub_topology_of[source.node]).or_insert(&source.topic);
            if other.partitions != source.topic.partitions {
                return Err(TopologyError::NotCopartitioned(other.name.clone(), source.topic.name.clone()));
            }
        }
        Ok(())
    }

    /// A topic that is a store must be this service's, keep what the store holds, and have as many partitions.
    fn check_published(&self) -> Result<(), TopologyError> {
        for (index, store) in self.stores.iter().enumerate() {
            let Changelog::Published(topic) = &store.changelog else { continue };
            let TopicDeclaration { name, writer, cleanup, partitions, .. } = topic.clone();
            if writer != self.name {
                return Err(TopologyError::ForeignSink { topic: name, writer });
            }
            if cleanup != crate::Cleanup::Compacted {
                return Err(TopologyError::NotCompacted(name));
            }
            if partitions != self.partitions(self.store_sub_topology(index)) {
                return Err(TopologyError::NotCopartitioned(name, store.name.clone()));
            }
        }
        Ok(())
    }
}

impl<'a> Erased<'a> {
    pub(crate) fn typed<V: 'static>(self) -> Record<'a, V> {
        let value = self.value.downcast_ref().expect("a stream's type parameter is its node's value type");
        Record { key: self.key, value, timestamp: self.timestamp }
    }

    pub(crate) fn with<'b>(self, value: &'b dyn Any) -> Erased<'b>
    where
        'a: 'b,
    {
        Erased { value, ..self }
    }
}

/// The topic that records go to which the service could not handle.
pub(crate) fn dead_letters(service: &str) -> String {
    format!("{service}-dead-letters")
}

impl Forward<'_> {
    /// Hands the record to one of those that come after, by the order in which they were declared.
    pub(crate) fn to(&self, child: usize, step: &Step<'_>, record: Erased<'_>) {
        self.graph.run(self.graph.nodes[self.node].children[child], step, record);
    }

    pub(crate) fn on(&self, step: &Step<'_>, record: Erased<'_>) {
        for &child in &self.graph.nodes[self.node].children {
            self.graph.run(child, step, record);
        }
    }
}

/// Numbers the groups of nodes that are connected by streams or share a store.
fn sub_topologies(nodes: &[Node], stores: &[StoreDefinition]) -> Vec<usize> {
    let mut group: Vec<usize> = (0..nodes.len()).collect();
    let mut join = |a: usize, b: usize| {
        let (from, to) = (group[a].max(group[b]), group[a].min(group[b]));
        group.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
    };
    for (id, node) in nodes.iter().enumerate() {
        node.parents.iter().for_each(|&parent| join(id, parent));
    }
    for store in stores {
        store.nodes.windows(2).for_each(|pair| join(pair[0], pair[1]));
    }
    let distinct: BTreeSet<usize> = group.iter().copied().collect();
    let number: BTreeMap<usize, usize> = distinct.into_iter().enumerate().map(|(number, id)| (id, number)).collect();
    group.iter().map(|id| number[id]).collect()
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.kind, self.label)
    }
}

impl fmt::Debug for SourceDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.topic.name)
    }
}

impl fmt::Debug for TimerDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timer({}, {:?}, {:?})", self.store, self.clock, self.after)
    }
}
