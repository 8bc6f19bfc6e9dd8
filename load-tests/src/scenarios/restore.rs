use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use avro_codec::{AvroRecord, Schemas};
use rdkafka::producer::BaseRecord;
use serde::{Deserialize, Serialize};
use streams::{Clock, DEFAULT_PARTITIONS, Graph, Store, Topic, Topology, subject};
use streams_kafka::{KafkaStreams, Status, create_topics, partition_of};
use tempfile::TempDir;

use crate::bare::{CountingProducer, read_whole};
use crate::ground::Ground;
use crate::latencies::median;
use crate::pace::pause;
use crate::report::{Figure, Outcome, Report, doing, say};

/// What is kept under a key: 100 bytes as a record's value.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: String,
    note: String,
}

impl AvroRecord for Entry {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Entry", "fields": [
        {"name": "key", "type": "string"}, {"name": "note", "type": "string"}]}"#;
}

const KEYS: usize = 1_000_000;
const ROUNDS: usize = 3;
static ENTRIES: Topic<Entry> = Topic::new("entries", "load-tests", |entry| entry.key.clone());
const KEPT: Store<Entry> = Store::new("kept");
const LEAST_PART_OF_BARE: f64 = 0.4;
const LONGEST_RESTART_S: f64 = 2.0;
const GIVEN_UP_AFTER: Duration = Duration::from_secs(120);

/// Fills a store through its topology, and has it read back from its changelog: into memory, onto an empty disk, and, as
/// far as it is needed, after a restart with all of it on disk.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let schemas = Schemas::local();
    let disk = TempDir::new()?;
    doing(&format!("  {KEYS} keys are in the store"), || fill(ground, &schemas, disk.path()))?;
    let (mut bare, mut in_memory, mut on_disk) = (Vec::new(), Vec::new(), Vec::new());
    let mut restarts = Vec::new();
    for round in 0..ROUNDS {
        bare.push(read_by_bare_consumer(ground)?);
        in_memory.push(restored(ground, &schemas, None)?);
        on_disk.push(restored(ground, &schemas, Some(TempDir::new()?.path()))?);
        restarts.push(restarted(ground, &schemas, disk.path())?);
        say(&format!(
            "  round {round}: bare {:.0}/s, memory {:.0}/s, disk {:.0}/s; restart {:.2} s",
            bare[round], in_memory[round], on_disk[round], restarts[round]
        ));
    }
    let bare_rate = median(bare.iter().copied());
    for (into, rates) in [("memory", in_memory), ("an empty disk", on_disk)] {
        let ratio = median(rates.iter().zip(&bare).map(|(restore, bare)| restore / bare));
        report.add(Figure {
            what: format!("restore of {KEYS} keys into {into}"),
            bar: format!("≥ {LEAST_PART_OF_BARE} × a bare consumer"),
            value: format!("{:.0} records/s", median(rates)),
            beside: format!("bare: {bare_rate:.0} records/s; ratio {ratio:.2}"),
            outcome: Outcome::of(ratio >= LEAST_PART_OF_BARE),
        });
    }
    let middle = median(restarts.iter().copied());
    let worst = restarts.iter().copied().fold(0.0, f64::max);
    report.add(Figure {
        what: format!("a clean restart with {KEYS} keys on disk serves"),
        bar: format!("≤ {LONGEST_RESTART_S} s"),
        value: format!("median {middle:.2} s, worst {worst:.2} s of {ROUNDS}"),
        beside: String::new(),
        outcome: Outcome::of(worst <= LONGEST_RESTART_S),
    });
    Ok(())
}

/// The keys as they come in life: each once, in no order.
fn numbers() -> impl DoubleEndedIterator<Item = usize> + Clone {
    (0..KEYS).map(|number| number * 7_654_321 % KEYS)
}

/// What a topology does that keeps entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing more.
    Plain,
    /// Has a timer, as orders has: it looks at every entry before it works.
    WithTimer,
}

fn topology(kind: Kind) -> anyhow::Result<Arc<Graph>> {
    let topology = Topology::new("restore");
    topology.stream(&ENTRIES).process(&KEPT, |entry, kept| {
        kept.put(entry.key, entry.value);
        None::<Entry>
    });
    if kind == Kind::WithTimer {
        topology.timer(&KEPT, Clock::Wall, Duration::from_secs(60), |_| None);
    }
    Ok(topology.build()?)
}

fn fill(ground: &Ground, schemas: &Schemas, disk: &Path) -> anyhow::Result<()> {
    let mut topics = topology(Kind::Plain)?.describe().writes;
    topics.push(ENTRIES.declaration());
    create_topics(&ground.settings(), &topics)?;
    let mut producer = CountingProducer::idempotent(&ground.bootstrap)?;
    for number in numbers() {
        let entry = Entry { key: key(number), note: "what there is to be noted ".repeat(4)[..81].to_string() };
        let value = schemas.encode(&subject(ENTRIES.name()), &entry)?;
        if number == 0 {
            ensure!(value.len() == 100, "{} bytes", value.len());
        }
        let partition = partition_of(&entry.key, DEFAULT_PARTITIONS);
        let record = BaseRecord::to(ENTRIES.name()).partition(partition).key(entry.key.as_bytes());
        producer.send(record.payload(&value))?;
    }
    producer.await_acknowledgements()?;
    let streams = start(ground, schemas, Kind::Plain, Some(disk))?;
    await_served(ground, &streams, numbers().rev())?;
    streams.join();
    Ok(())
}

fn key(number: usize) -> String {
    format!("key-{number:07}")
}

fn start(ground: &Ground, schemas: &Schemas, kind: Kind, disk: Option<&Path>) -> anyhow::Result<KafkaStreams> {
    let mut settings = ground.settings();
    settings.state_dir = disk.map(Path::to_path_buf);
    Ok(KafkaStreams::start(topology(kind)?, settings, schemas.clone(), |_| {})?)
}

/// Waits until the first of these keys in every partition can be read.
fn await_served(
    ground: &Ground,
    streams: &KafkaStreams,
    numbers: impl Iterator<Item = usize> + Clone,
) -> anyhow::Result<()> {
    const BETWEEN_LOOKS: Duration = Duration::from_millis(1);
    let began = Instant::now();
    let (view, status) = (streams.view(&KEPT), streams.status());
    for partition in 0..DEFAULT_PARTITIONS {
        let is_here = |key: &String| partition_of(key, DEFAULT_PARTITIONS) == partition;
        let key = numbers.clone().map(key).find(is_here).context("keys are spread over the partitions")?;
        while !matches!(view.get(&key), Ok(Some(_))) {
            ensure!(began.elapsed() < GIVEN_UP_AFTER, "{key} is not served: {}", *status.borrow());
            pause(&ground.interrupt, BETWEEN_LOOKS)?;
        }
    }
    Ok(())
}

/// Records per second, over all partitions at once.
fn read_by_bare_consumer(ground: &Ground) -> anyhow::Result<f64> {
    let duration = read_whole(&ground.bootstrap, &changelog()?, DEFAULT_PARTITIONS, KEYS)?;
    Ok(KEYS as f64 / duration.as_secs_f64())
}

/// Records per second, from the moment the shares are assigned until all are restored: what lies before is the way into the
/// group.
fn restored(ground: &Ground, schemas: &Schemas, disk: Option<&Path>) -> anyhow::Result<f64> {
    let streams = start(ground, schemas, Kind::Plain, disk)?;
    let mut status = streams.status();
    let [assigned, whole] = ground.shop.runtime.block_on(async {
        let is_restoring = |status: &Status| !matches!(status, Status::Waiting(_));
        let first = status.wait_for(is_restoring).await?.clone();
        ensure!(matches!(first, Status::Restoring(_)), "what begins is not a restore but {first}");
        let assigned = Instant::now();
        let last = status.wait_for(|status| !matches!(status, Status::Restoring(_))).await?.clone();
        ensure!(last == Status::Running, "a restore ended with {last}");
        anyhow::Ok([assigned, Instant::now()])
    })?;
    streams.join();
    Ok(KEYS as f64 / (whole - assigned).as_secs_f64())
}

/// Seconds from the start until a key of every partition is read.
fn restarted(ground: &Ground, schemas: &Schemas, disk: &Path) -> anyhow::Result<f64> {
    let start_of_process = Instant::now();
    let streams = start(ground, schemas, Kind::WithTimer, Some(disk))?;
    await_served(ground, &streams, numbers())?;
    let seconds = start_of_process.elapsed().as_secs_f64();
    streams.join();
    Ok(seconds)
}

fn changelog() -> anyhow::Result<String> {
    let [changelog] = &topology(Kind::Plain)?.changelogs().map(|changelog| changelog.name).collect::<Vec<_>>()[..]
    else {
        anyhow::bail!("one store has one changelog");
    };
    Ok(changelog.clone())
}
