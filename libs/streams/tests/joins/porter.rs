//! Who listens at the doors, and says who knocked and rang together.

use std::sync::Arc;
use std::time::Duration;

use avro_codec::{AvroRecord, Schemas};
use serde::{Deserialize, Serialize};
use streams::{
    Graph, Input, JoinWindow, Joined, Limits, Output, StateStore, Task, TaskId, Timestamp, Topic, Topology, Trace,
    subject,
};

/// Someone at the door, or something that someone has left there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Visit {
    pub door: String,
    pub name: String,
}

impl AvroRecord for Visit {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Visit", "fields": [
        {"name": "door", "type": "string"}, {"name": "name", "type": "string"}]}"#;
}

pub const KNOCKS: Topic<Visit> = Topic::new("knocks", "doors", |visit| visit.door.clone());
pub const RINGS: Topic<Visit> = Topic::new("rings", "doors", |visit| visit.door.clone());
pub const CALLS: Topic<Visit> = Topic::new("calls", "porter", |visit| visit.door.clone());
pub const WINDOW: JoinWindow = JoinWindow { within: Duration::from_millis(100), grace: Duration::from_millis(50) };
pub const LIMITS: Limits = Limits { max_record_bytes: 100_000, latest_timestamp: Timestamp(1_000_000) };

pub fn visit(door: &str, name: &str) -> Visit {
    Visit { door: door.to_string(), name: name.to_string() }
}

/// `knock+ring` of both, `knock+` and `+ring` of one that stayed alone; a knock of Thirteen makes the porter stumble.
pub fn call(joined: &Joined<Visit, Visit>) -> Visit {
    let (door, name) = match joined {
        Joined::Both(knock, ring) => (&knock.door, format!("{}+{}", knock.name, ring.name)),
        Joined::Left(knock) => (&knock.door, format!("{}+", knock.name)),
        Joined::Right(ring) => (&ring.door, format!("+{}", ring.name)),
    };
    assert!(name != "thirteen+", "thirteen");
    visit(door, &name)
}

pub fn outer() -> Topology {
    let topology = Topology::new("porter");
    topology
        .stream(&KNOCKS)
        .outer_join("heard", topology.stream(&RINGS), WINDOW)
        .map(|joined| call(joined.value))
        .to(&CALLS);
    topology
}

pub fn inner() -> Topology {
    let topology = Topology::new("porter");
    topology
        .stream(&KNOCKS)
        .join_within("heard", topology.stream(&RINGS), WINDOW)
        .map(|both| visit(&both.0.door, &format!("{}+{}", both.0.name, both.1.name)))
        .to(&CALLS);
    topology
}

/// What is done at one door.
#[derive(Clone, Copy, Debug)]
pub enum Do {
    Knock(i64, &'static str),
    Ring(i64, &'static str),
}
use Do::{Knock, Ring};

/// A task of the outer join, with commits in the test's hand.
pub struct Porter {
    schemas: Schemas,
    graph: Arc<Graph>,
    pub task: Task,
    outputs: Vec<Output>,
}

impl Porter {
    pub fn new() -> Self {
        Self::of(outer())
    }

    pub fn of(topology: Topology) -> Self {
        let (graph, schemas) = (topology.build().unwrap(), Schemas::local());
        let task = Task::new(graph.clone(), schemas.clone(), TaskId { sub_topology: 0, partition: 0 });
        Self { schemas, graph, task, outputs: Vec::new() }
    }

    pub fn hear(&mut self, doing: Do) -> &mut Self {
        let (topic, at, name) = match doing {
            Knock(at, name) => ("knocks", at, name),
            Ring(at, name) => ("rings", at, name),
        };
        let value = self.schemas.encode(&subject(topic), &visit("a", name)).unwrap();
        let (key, trace) = (Some(&b"a"[..]), Trace::new(name));
        let input = Input { topic, key, value: Some(&value), timestamp: Timestamp(at), trace: Some(&trace) };
        self.task.process(input, LIMITS, &mut self.outputs).unwrap();
        while let Some(fired) = self.task.fire(None, LIMITS, &mut self.outputs) {
            fired.unwrap();
        }
        self
    }

    pub fn commit(&mut self) {
        self.task.commit(|_| None, |_, _| {}).unwrap();
    }

    pub fn said(&mut self) -> Vec<(i64, String)> {
        let outputs = std::mem::take(&mut self.outputs);
        outputs.iter().map(|o| (o.timestamp.0, self.schemas.decode::<Visit>(&o.value).unwrap().name)).collect()
    }

    /// Whose trace each goes on in, and whose it is linked to. Each record is in a trace of its name.
    pub fn traces(&mut self) -> Vec<(Option<String>, Option<String>)> {
        let name = |trace: Option<Trace>| trace.map(|trace| trace.as_str().to_string());
        std::mem::take(&mut self.outputs).into_iter().map(|o| (name(o.trace), name(o.joined))).collect()
    }

    pub fn stores(&self) -> [Arc<dyn StateStore>; 2] {
        ["heard-left", "heard-right"].map(|name| self.task.store(name).unwrap())
    }

    pub fn kept(&self) -> usize {
        let mut kept = 0;
        self.stores().iter().for_each(|store| store.visit(&mut |_, _| kept += 1).unwrap());
        kept
    }

    /// Another task with the same stores and stream time, as a restart leaves it.
    pub fn successor(&self) -> Self {
        let (graph, schemas) = (self.graph.clone(), self.schemas.clone());
        let mut task = Task::with_stores(graph.clone(), schemas.clone(), self.task.id(), self.stores().to_vec());
        task.set_stream_time(self.task.stream_time());
        task.restored().unwrap();
        Self { schemas, graph, task, outputs: Vec::new() }
    }
}
