use std::time::{Duration, Instant};

use anyhow::ensure;
use avro_codec::{AvroRecord, Schemas};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::BaseRecord;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use streams::{DEFAULT_PARTITIONS, Topic, Topology, subject};
use streams_kafka::{KafkaStreams, create_topics};

use crate::bare::{CALL_TIMEOUT, CountingProducer, RunningHop};
use crate::ground::Ground;
use crate::latencies::median;
use crate::pace::pause;
use crate::report::{Figure, Outcome, Report, say};

/// A word that was clicked: 51 bytes as a record's value.
#[derive(Debug, Serialize, Deserialize)]
struct Click {
    word: String,
    at: i64,
}

impl AvroRecord for Click {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Click", "fields": [
        {"name": "word", "type": "string"}, {"name": "at", "type": "long"}]}"#;
}

/// How many records the full topic holds.
pub(super) const RECORDS: i64 = 500_000;
const ROUNDS: usize = 5;
const LEAST_PART_OF_BARE: f64 = 0.5;
/// The first of the records are not counted: groups are being joined, caches are cold.
const NOT_COUNTED: i64 = RECORDS / 10;

/// Lets a topology and a bare hop copy the same full topic in turn.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let clicks = Topic::named("clicks".to_string(), "load-tests".to_string(), key);
    let schemas = Schemas::local();
    fill(ground, &clicks, &schemas)?;
    let (mut bare, mut engine) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        bare.push(copied_by_bare_hop(ground, &clicks, round)?);
        engine.push(copied_by_topology(ground, &clicks, &schemas, round)?);
        say(&format!("  round {round}: bare {:.0}/s, topology {:.0}/s", bare[round], engine[round]));
    }
    let ratio = median(engine.iter().zip(&bare).map(|(engine, bare)| engine / bare));
    let (bare, engine) = (median(bare), median(engine));
    report.add(Figure {
        what: "pass-through topology, saturated".to_string(),
        bar: format!("≥ {LEAST_PART_OF_BARE} × the bare hop"),
        value: format!("{engine:.0} records/s"),
        beside: format!("bare: {bare:.0} records/s; ratio {ratio:.2}"),
        outcome: Outcome::of(ratio >= LEAST_PART_OF_BARE),
    });
    Ok(())
}

/// The keys spread the records over the partitions.
fn key(click: &Click) -> String {
    (click.at % 1000).to_string()
}

fn fill(ground: &Ground, clicks: &Topic<Click>, schemas: &Schemas) -> anyhow::Result<()> {
    create_topics(&ground.settings(), &[clicks.declaration()])?;
    let mut producer = CountingProducer::idempotent(&ground.bootstrap)?;
    for number in 0..RECORDS {
        let click = Click { word: "a click is a click is a click is a click!".to_string(), at: 2_000_000 + number };
        let (key, value) = (clicks.key(&click), schemas.encode(&subject(clicks.name()), &click)?);
        if number == 0 {
            ensure!(value.len() == 51, "{} bytes", value.len());
        }
        producer.send(BaseRecord::to(clicks.name()).key(key.as_bytes()).payload(&value))?;
    }
    producer.await_acknowledgements()?;
    Ok(())
}

fn copied_by_bare_hop(ground: &Ground, clicks: &Topic<Click>, round: usize) -> anyhow::Result<f64> {
    let name = format!("bare-{round}");
    ground.create_topics(std::slice::from_ref(&name), DEFAULT_PARTITIONS)?;
    let hop = RunningHop::start(&ground.bootstrap, &name, clicks.name(), &name)?;
    let rate = rate_of(ground, &name, clicks.name())?;
    hop.stop()?;
    Ok(rate)
}

fn copied_by_topology(ground: &Ground, clicks: &Topic<Click>, schemas: &Schemas, round: usize) -> anyhow::Result<f64> {
    let name = format!("pass-through-{round}");
    let copies = Topic::named(format!("{name}-copies"), name.clone(), key);
    schemas.encode(&subject(copies.name()), &Click { word: String::new(), at: 0 })?;
    let topology = Topology::new(&name);
    topology.stream(clicks).to(&copies);
    let graph = topology.build()?;
    create_topics(&ground.settings(), &[copies.declaration(), graph.dead_letters()])?;
    let streams = KafkaStreams::start(graph, ground.settings(), schemas.clone(), |_| {})?;
    let rate = rate_of(ground, &name, clicks.name())?;
    streams.join();
    Ok(rate)
}

/// Watches the committed offsets of a group go through a full topic, and returns records per second.
pub(super) fn rate_of(ground: &Ground, group: &str, topic: &str) -> anyhow::Result<f64> {
    const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_secs(60);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &ground.bootstrap).set("group.id", group);
    // A look must not wait for transactions that are being committed.
    let watcher: BaseConsumer = config.set("isolation.level", "read_uncommitted").create()?;
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_range(topic, 0, DEFAULT_PARTITIONS - 1);
    let began = Instant::now();
    let mut first = None;
    loop {
        pause(&ground.interrupt, BETWEEN_LOOKS)?;
        let committed = watcher.committed_offsets(partitions.clone(), CALL_TIMEOUT)?;
        let now = Instant::now();
        let copied: i64 = committed
            .elements()
            .iter()
            .map(|element| match element.offset() {
                Offset::Offset(offset) => offset,
                _ => 0,
            })
            .sum();
        if copied >= NOT_COUNTED && first.is_none() {
            first = Some((now, copied));
        }
        if let Some((since, before)) = first
            && copied >= RECORDS
        {
            return Ok((copied - before) as f64 / (now - since).as_secs_f64());
        }
        ensure!(began.elapsed() < LONGEST, "{group} has copied {copied} records in {LONGEST:?}");
    }
}
