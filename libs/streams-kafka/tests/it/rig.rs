//! A topology that adds up amounts per till, on topics of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use avro_codec::{AvroRecord, SchemaId, Schemas};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::Registry;
use prometheus::proto::Metric;
use serde::{Deserialize, Serialize};
use streams::{Store, Topic, Topology, subject};
use streams_kafka::{KafkaStreams, Settings, Status, StreamsError, View, create_topics};
use test_kit::{Broker, RawRecord, eventually_blocking, infrastructure, unique};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub till: String,
    pub cents: i64,
    pub note: String,
}

impl AvroRecord for Amount {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Amount", "fields": [
        {"name": "till", "type": "string"}, {"name": "cents", "type": "long"}, {"name": "note", "type": "string"}]}"#;
}

pub const AMOUNTS: Topic<Amount> = Topic::new("amounts", "tills", |amount| amount.till.clone());
pub const SUMS: Topic<Amount> = Topic::new("sums", "adder", |amount| amount.till.clone());
pub const TOTALS: Store<Amount> = Store::new("totals");
/// Key of records that a test writes to the output itself.
pub const PROBE: &str = "probe";
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What is declared and running, under a prefix nobody else has.
pub struct Rig {
    pub settings: Settings,
    pub schemas: Schemas,
    pub broker: Broker,
    /// Ids the engine asked for.
    pub asked: Arc<Mutex<Vec<SchemaId>>>,
}

/// Adds each amount to the total of its till, says the new total, and lets `meddle` do what it wants in the middle.
pub fn adder(meddle: impl Fn(&Amount) -> Amount + Send + Sync + 'static) -> Topology {
    let topology = Topology::new("adder");
    topology
        .stream(&AMOUNTS)
        .process(&TOTALS, move |amount, totals| {
            let before = totals.get(amount.key).map_or(0, |total| total.cents);
            let total = Amount { cents: before + amount.cents, ..amount.value.clone() };
            totals.put(amount.key, &total);
            [meddle(&total)]
        })
        .to(&SUMS);
    topology
}

pub fn plain_adder() -> Topology {
    adder(Clone::clone)
}

/// A gate that a handler stands at until the test opens it.
#[derive(Clone, Default)]
pub struct Gate {
    reached: Arc<AtomicBool>,
    open: Arc<AtomicBool>,
}

impl Gate {
    pub fn stand(&self) {
        self.reached.store(true, Ordering::Release);
        eventually_blocking("the gate opens", DEADLINE, || self.open.load(Ordering::Acquire).then_some(()));
    }

    pub fn await_arrival(&self) {
        eventually_blocking("a handler stands at the gate", DEADLINE, || {
            self.reached.load(Ordering::Acquire).then_some(())
        });
    }

    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
    }
}

impl Rig {
    /// A rig whose topics do not exist yet.
    pub fn bare() -> Self {
        let infrastructure = infrastructure();
        let mut settings = Settings::new(infrastructure.kafka_bootstrap(), "0");
        settings.topic_prefix = format!("{}.", unique("adder"));
        Self { settings, schemas: Schemas::local(), broker: infrastructure.broker(), asked: Arc::default() }
    }

    /// A rig with the topics of `topology`.
    pub fn new(topology: Topology) -> Self {
        let rig = Self::bare();
        rig.create_topics(topology);
        rig
    }

    pub fn create_topics(&self, topology: Topology) {
        let graph = topology.build().unwrap();
        let mut topics = graph.describe().writes;
        let read = graph.inputs().chain(graph.global_topics());
        topics.extend(read.filter(|topic| topic.writer != graph.name()).cloned());
        create_topics(&self.settings, &topics).unwrap();
    }

    /// The same topics, for an instance in another slot.
    pub fn instance(&self, slot: &str) -> Self {
        let settings = Settings { instance: slot.to_string(), run: unique("run"), ..self.settings.clone() };
        Self { settings, schemas: self.schemas.clone(), broker: self.broker.clone(), asked: self.asked.clone() }
    }

    pub fn start(&self, topology: Topology) -> KafkaStreams {
        self.try_start(topology).unwrap()
    }

    pub fn try_start(&self, topology: Topology) -> Result<KafkaStreams, StreamsError> {
        let asked = self.asked.clone();
        let resolve = move |id| asked.lock().unwrap().push(id);
        // Every start is a run of its own, as if it were another process.
        let settings = Settings { run: unique("run"), ..self.settings.clone() };
        KafkaStreams::start(topology.build().unwrap(), settings, self.schemas.clone(), resolve)
    }

    /// Deletes all that is in the changelog, which its cleanup policy does not allow.
    pub fn truncate_changelog(&self) {
        let changelog = self.settings.topic("adder-totals-changelog");
        self.broker.alter_topic(&changelog, &[("cleanup.policy", "delete")]).unwrap();
        eventually_blocking("the records are deleted", DEADLINE, || self.broker.delete_records(&changelog).ok());
        self.broker.alter_topic(&changelog, &[("cleanup.policy", "compact")]).unwrap();
    }

    pub fn start_and_await(&self, topology: Topology) -> KafkaStreams {
        let streams = self.start(topology);
        await_status(&streams, "it runs", |status| *status == Status::Running);
        streams
    }

    pub fn encoded(&self, till: &str, cents: i64) -> RawRecord {
        let amount = Amount { till: till.to_string(), cents, note: String::new() };
        RawRecord::new(till, self.schemas.encode(&subject("amounts"), &amount).unwrap())
    }

    pub fn write(&self, records: impl IntoIterator<Item = RawRecord>) -> Vec<RawRecord> {
        self.broker.write(&self.settings.topic("amounts"), records).unwrap()
    }

    pub fn read(&self, topic: &str) -> Vec<RawRecord> {
        self.broker.read_all(&self.settings.topic(topic)).unwrap()
    }

    pub fn sums(&self) -> Vec<i64> {
        let sums = self.read("sums").into_iter().filter(|record| record.key_text() != PROBE);
        sums.map(|record| self.decoded(&record).cents).collect()
    }

    pub fn decoded(&self, record: &RawRecord) -> Amount {
        self.schemas.decode(record.value.as_deref().unwrap()).unwrap()
    }

    pub fn await_sums(&self, count: usize) -> Vec<i64> {
        eventually_blocking("the sums are there", DEADLINE, || Some(self.sums()).filter(|sums| sums.len() >= count))
    }
}

/// The sum of a counter of all topologies of this process whose labels include this one. Whoever asks has to begin before
/// the topology does.
pub fn counted(name: &str, label: (&str, &str)) -> f64 {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().unwrap();
        opentelemetry::global::set_meter_provider(SdkMeterProvider::builder().with_reader(exporter).build());
        registry
    });
    let families = REGISTRY.gather();
    let metrics = families.iter().filter(|family| family.name() == name).flat_map(|family| family.get_metric());
    let is_labelled = |metric: &&Metric| metric.get_label().iter().any(|pair| (pair.name(), pair.value()) == label);
    metrics.filter(is_labelled).map(|metric| metric.get_counter().get_value()).sum()
}

pub fn await_status(streams: &KafkaStreams, what: &str, is_it: impl Fn(&Status) -> bool) -> Status {
    let status = streams.status();
    eventually_blocking(what, DEADLINE, || Some(status.borrow().clone()).filter(|status| is_it(status)))
}

pub fn await_total(view: &View<Amount>, till: &str, cents: i64) {
    eventually_blocking("the total is committed", DEADLINE, || {
        view.get(till).ok()?.filter(|total| total.cents == cents).map(drop)
    });
}
