//! What a service does once, as a process of its own.

use avro_codec::registry::{Compatibility, Registry};
use avro_codec::{AvroRecord, Schemas};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use streams::{Topic, subject};
use streams_kafka::{Settings, create_topics};
use test_kit::{RawRecord, infrastructure, unique};

use super::{Running, output};
use crate::client::DEADLINE;

const CHIMES: Topic<Chime> = Topic::new("chimes", "belfry", |chime| chime.bell.clone());

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Chime {
    bell: String,
    strokes: i32,
}

impl AvroRecord for Chime {
    const SCHEMA: &'static str = r#"{"type":"record","name":"Chime","fields":[
        {"name":"bell","type":"string"},{"name":"strokes","type":"int"}]}"#;
}

#[tokio::test]
async fn a_command_is_in_the_help_and_has_the_options_of_its_service() {
    let of_service = output("tally", &["--help"]).await;
    let text = String::from_utf8(of_service.stdout).unwrap();
    assert!(text.contains("count") && text.contains("Counts all there ever were"), "{text}");
    let of_command = output("tally", &["count", "--help"]).await;
    let text = String::from_utf8(of_command.stdout).unwrap();
    assert!(text.contains("--least-strokes") && text.contains("KAFKA_BOOTSTRAP"), "{text}");
    let refused = output("tally", &["count", "--least-strokes=many"]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(output("tally", &["recount"]).await.status.code(), Some(2));
}

#[tokio::test]
async fn a_command_reads_the_log_from_its_beginning_and_ends() {
    let stack = infrastructure();
    let (registry, schemas) = (Registry::new(stack.schema_registry_url(), DEADLINE).unwrap(), Schemas::new());
    let subject = subject(CHIMES.name());
    let id = registry.register(&subject, Chime::SCHEMA, Compatibility::BackwardTransitive).await.unwrap();
    schemas.bind(&subject, id, Chime::SCHEMA).unwrap();
    let mut settings = Settings::new(stack.kafka_bootstrap(), "steps");
    settings.topic_prefix = format!("{}-", unique("tally"));
    let prefix = settings.topic_prefix.clone();
    let created = tokio::task::spawn_blocking(move || create_topics(&settings, &[CHIMES.declaration()]));
    created.await.unwrap().unwrap();
    let chime = |strokes| {
        let chime = Chime { bell: format!("bell-{strokes}"), strokes };
        RawRecord::of(&CHIMES, &schemas, &chime).unwrap()
    };
    stack.broker().write(&format!("{prefix}chimes"), (1..=12).map(chime)).unwrap();

    let kafka = format!("--kafka-bootstrap={}", stack.kafka_bootstrap());
    let url = format!("--schema-registry-url={}", stack.schema_registry_url());
    let prefix = format!("--topic-prefix={prefix}");
    let counted = output("tally", &[&kafka, &url, "count", &prefix]).await;
    assert_eq!((String::from_utf8_lossy(&counted.stdout).trim(), counted.status.code()), ("78", Some(0)));
    let failed = output("tally", &[&kafka, &url, &prefix, "count", "--least-strokes=79"]).await;
    let text = String::from_utf8_lossy(&failed.stderr);
    assert!(text.contains("count is not done: there are only 78"), "{text}");
    assert_eq!(failed.status.code(), Some(1));
}

#[tokio::test]
async fn a_command_says_what_it_waits_for_until_it_is_stopped() {
    let mut waiting = Running::started("tally", &["--schema-registry-url=http://127.0.0.1:1", "count"]);
    waiting.logged("not ready: the schema registry at").await;
    waiting.signal(Signal::SIGTERM);
    waiting.logged("count is not done: it was stopped").await;
    assert_eq!(waiting.ended().await, Some(1));
}
