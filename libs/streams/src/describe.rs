use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::graph::{Graph, NodeKind};
use crate::{Clock, TopicDeclaration};

/// What a service derives from its topology: everything an operator, the topic step, access rules or a document need to
/// know of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The service, which is also its consumer group.
    pub service: String,
    /// Topics it reads.
    pub reads: Vec<String>,
    /// Those of them that every instance reads whole, to look things up.
    pub global_tables: Vec<String>,
    /// Topics it alone writes: its outputs, changelogs, repartition topics and dead letters, each as it must exist.
    pub writes: Vec<TopicDeclaration>,
    /// The sub-topologies, each of which runs in as many tasks as its inputs have partitions.
    pub sub_topologies: Vec<SubTopologyDescription>,
}

/// What runs together in one task.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubTopologyDescription {
    /// Topics it reads.
    pub sources: Vec<String>,
    /// Stores it keeps, each with the topic it is rebuilt from.
    pub stores: BTreeMap<String, String>,
    /// Topics it writes.
    pub sinks: Vec<String>,
}

impl Graph {
    /// The facts.
    pub fn describe(&self) -> Description {
        let mut sub_topologies = Vec::new();
        let mut at = |index: usize, add: &dyn Fn(&mut SubTopologyDescription)| {
            if sub_topologies.len() <= index {
                sub_topologies.resize_with(index + 1, SubTopologyDescription::default);
            }
            add(&mut sub_topologies[index]);
        };
        for (id, node) in self.nodes().iter().enumerate() {
            let label = || node.label.clone();
            match node.kind {
                NodeKind::Source | NodeKind::Bootstrap | NodeKind::Table => {
                    at(self.node_sub_topology(id), &|part| part.sources.push(label()));
                }
                NodeKind::Sink => at(self.node_sub_topology(id), &|part| part.sinks.push(label())),
                _ => {}
            }
        }
        for (index, store) in self.stores.iter().enumerate() {
            let topic = self.changelog(index).map_or_else(|| store.name.clone(), |changelog| changelog.name);
            at(self.store_sub_topology(index), &|part| {
                part.stores.insert(store.name.clone(), topic.clone());
            });
        }
        let mut reads: Vec<String> = self.inputs().map(|topic| topic.name.clone()).collect();
        let globals = self.global_topics().map(|topic| topic.name.clone());
        reads.extend(globals.filter(|global| self.sub_topology(global).is_none()));
        let mut writes: Vec<TopicDeclaration> = self.outputs().cloned().collect();
        writes.extend(self.changelogs());
        writes.push(self.dead_letters());
        Description {
            service: self.name().to_string(),
            reads,
            global_tables: self.global_topics().map(|topic| topic.name.clone()).collect(),
            writes,
            sub_topologies,
        }
    }

    /// A drawing of the graph, as a Mermaid flowchart.
    pub fn drawing(&self) -> String {
        let mut drawing = "flowchart TD\n".to_string();
        for (id, node) in self.nodes().iter().enumerate() {
            let (open, close) = match node.kind {
                NodeKind::Source | NodeKind::Bootstrap | NodeKind::Table | NodeKind::Sink => ("[/", "/]"),
                NodeKind::Timer => ("{{", "}}"),
                _ => ("(", ")"),
            };
            let label =
                if node.label.is_empty() { format!("{:?}", node.kind).to_lowercase() } else { node.label.clone() };
            // Writing to a String cannot fail.
            let _ = writeln!(drawing, "    n{id}{open}\"{label}\"{close}");
            for parent in &node.parents {
                let _ = writeln!(drawing, "    n{parent} --> n{id}");
            }
        }
        for (index, store) in self.stores.iter().enumerate() {
            let _ = writeln!(drawing, "    s{index}[(\"{}\")]", store.name);
            for node in &store.nodes {
                let _ = writeln!(drawing, "    n{node} -.- s{index}");
            }
        }
        for (index, global) in self.globals.iter().enumerate() {
            let _ = writeln!(drawing, "    g{index}[(\"{}\")]", global.topic.name);
            for node in &global.nodes {
                let _ = writeln!(drawing, "    g{index} -.-> n{node}");
            }
        }
        drawing
    }
}

impl Clock {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Wall => "wall-clock",
            Self::Stream => "stream",
        }
    }
}
