use std::time::Duration;

use avro_codec::{AvroRecord, Schemas};
use rdkafka::producer::BaseRecord;
use serde::{Deserialize, Serialize};
use streams::{JoinWindow, Topic, Topology, subject};
use streams_kafka::{KafkaStreams, create_topics};

use super::throughput::{RECORDS, rate_of};
use crate::bare::CountingProducer;
use crate::ground::Ground;
use crate::latencies::median;
use crate::report::{Figure, Outcome, Report, say};

/// The even numbers are joined with the odd ones that follow them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Half {
    word: String,
    number: i64,
}

impl AvroRecord for Half {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Half", "fields": [
        {"name": "word", "type": "string"}, {"name": "number", "type": "long"}]}"#;
}

const ROUNDS: usize = 3;
const LEAST_PART_OF_PASS_THROUGH: f64 = 0.5;
/// In event time, so that some ten thousand records of a second are kept at any moment.
const RECORDS_PER_MS: i64 = 10;
const WINDOW: JoinWindow = JoinWindow { within: Duration::from_secs(1), grace: Duration::from_millis(100) };

/// Lets a topology that joins the halves of pairs, and one that passes them through, read the same full topic in turn.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let halves = Topic::named("halves".to_string(), "load-tests".to_string(), key);
    let schemas = Schemas::local();
    fill(ground, &halves, &schemas)?;
    let (mut passed, mut joined) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        passed.push(rate(ground, &halves, &schemas, &format!("passing-{round}"), |topology, copies| {
            topology.stream(&halves).to(copies);
        })?);
        joined.push(rate(ground, &halves, &schemas, &format!("joining-{round}"), |topology, pairs| {
            let (left, right) = topology.stream(&halves).branch(|half| half.number % 2 == 0);
            left.join_within("pairs", right, WINDOW).map(|both| both.1.clone()).to(pairs);
        })?);
        say(&format!("  round {round}: pass-through {:.0}/s, join {:.0}/s", passed[round], joined[round]));
    }
    let ratio = median(joined.iter().zip(&passed).map(|(joined, passed)| joined / passed));
    let (passed, joined) = (median(passed), median(joined));
    report.add(Figure {
        what: "windowed join, saturated".to_string(),
        bar: format!("≥ {LEAST_PART_OF_PASS_THROUGH} × the pass-through topology"),
        value: format!("{joined:.0} records/s"),
        beside: format!("pass-through: {passed:.0} records/s; ratio {ratio:.2}"),
        outcome: Outcome::of(ratio >= LEAST_PART_OF_PASS_THROUGH),
    });
    Ok(())
}

/// Two halves have one key.
fn key(half: &Half) -> String {
    (half.number / 2).to_string()
}

fn fill(ground: &Ground, halves: &Topic<Half>, schemas: &Schemas) -> anyhow::Result<()> {
    const BEGINNING_MS: i64 = 1_700_000_000_000;
    create_topics(&ground.settings(), &[halves.declaration()])?;
    let mut producer = CountingProducer::idempotent(&ground.bootstrap)?;
    for number in 0..RECORDS {
        let half = Half { word: "half a pair is half a pair is half a pair".to_string(), number };
        let (key, value) = (halves.key(&half), schemas.encode(&subject(halves.name()), &half)?);
        let at = BEGINNING_MS + number / RECORDS_PER_MS;
        producer.send(BaseRecord::to(halves.name()).timestamp(at).key(key.as_bytes()).payload(&value))?;
    }
    producer.await_acknowledgements()?;
    Ok(())
}

fn rate(
    ground: &Ground,
    halves: &Topic<Half>,
    schemas: &Schemas,
    name: &str,
    declare: impl Fn(&Topology, &Topic<Half>),
) -> anyhow::Result<f64> {
    let output = Topic::named(format!("{name}-output"), name.to_string(), key);
    let topology = Topology::new(name);
    declare(&topology, &output);
    let graph = topology.build()?;
    create_topics(&ground.settings(), &graph.describe().writes)?;
    let streams = KafkaStreams::start(graph, ground.settings(), schemas.clone(), |_| {})?;
    let rate = rate_of(ground, name, halves.name())?;
    streams.join();
    Ok(rate)
}
