use std::any::TypeId;

use avro_codec::AvroRecord;

use crate::give_up::GivenUpType;
use crate::global::GlobalDefinition;
use crate::graph::{
    Node, NodeId, NodeKind, Operator, SinkDefinition, SourceDefinition, StoreDefinition, TimerDefinition, TopologyError,
};
use crate::store::{Changelog, Store};

/// A graph while it is being declared.
#[derive(Debug, Default)]
pub(crate) struct GraphDraft {
    pub(crate) nodes: Vec<Node>,
    pub(crate) sources: Vec<SourceDefinition>,
    pub(crate) sinks: Vec<SinkDefinition>,
    pub(crate) stores: Vec<StoreDefinition>,
    pub(crate) timers: Vec<TimerDefinition>,
    pub(crate) given_up: Vec<GivenUpType>,
    pub(crate) globals: Vec<GlobalDefinition>,
    pub(crate) errors: Vec<TopologyError>,
}

impl GraphDraft {
    pub(crate) fn node(&mut self, kind: NodeKind, label: String, parents: &[NodeId], operator: Operator) -> NodeId {
        let id = self.nodes.len();
        for &parent in parents {
            self.nodes[parent].children.push(id);
        }
        self.nodes.push(Node { kind, label, parents: parents.to_vec(), children: Vec::new(), operator });
        id
    }

    /// A topic that is read in two ways is read in the one that promises more.
    pub(crate) fn raise(&mut self, node: NodeId, kind: NodeKind) {
        let is_more = matches!(
            (self.nodes[node].kind, kind),
            (NodeKind::Source, NodeKind::Bootstrap | NodeKind::Table) | (NodeKind::Bootstrap, NodeKind::Table)
        );
        if is_more {
            self.nodes[node].kind = kind;
        }
    }

    pub(crate) fn has_store(&self, name: &str) -> bool {
        self.stores.iter().any(|store| store.name == name)
    }

    /// Declares a store at its first use, and notes that `node` uses it.
    pub(crate) fn use_store<S: AvroRecord>(&mut self, store: &Store<S>, changelog: Changelog, node: NodeId) {
        match self.stores.iter_mut().find(|known| known.name == store.name()) {
            None => self.stores.push(StoreDefinition {
                name: store.name().to_string(),
                schema: S::schema(),
                changelog,
                type_id: TypeId::of::<S>(),
                nodes: vec![node],
            }),
            Some(known) if known.type_id != TypeId::of::<S>() => {
                self.errors.push(TopologyError::TwoTypes(store.name().to_string()));
            }
            Some(known) => {
                known.nodes.push(node);
                if changelog != Changelog::Own {
                    known.changelog = changelog;
                }
            }
        }
    }
}
