//! A service that looks at topics, and pushes events to whoever listens.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use streams::TopicDeclaration;
use streams_kafka::{Settings, create_topics};
use test_kit::{RawRecord, infrastructure, unique};

use super::{Running, output};
use crate::client::{RawClient, ask, get};

#[tokio::test]
async fn topics_that_follow_from_options_are_described() {
    let described = output("watcher", &["--sensors=roof,cellar", "describe"]).await;
    let description: Value = serde_json::from_slice(&described.stdout).unwrap();
    assert_eq!(description["reads"], json!(["readings-roof", "readings-cellar"]));
    assert_eq!(description["writes"][0]["name"], "watcher-dead-letters");
    let without: Value = serde_json::from_slice(&output("watcher", &["describe"]).await.stdout).unwrap();
    assert_eq!((&without["reads"], &without["writes"]), (&json!([]), &json!([])));
    let environments = without["options"].as_array().unwrap().iter().map(|option| &option["environment"]);
    let environments: Vec<_> = environments.filter_map(Value::as_str).collect();
    assert!(
        environments.contains(&"KAFKA_BOOTSTRAP") && environments.contains(&"HTTP_CORS_ORIGINS"),
        "{environments:?}"
    );
}

#[tokio::test]
async fn what_is_in_a_topic_is_shown_and_what_is_not_there_is_a_problem() {
    let prefix = format!("{}-", unique("watcher"));
    let mut service = started(&prefix, infrastructure().kafka_bootstrap());
    let front = service.ready().await;
    assert_eq!(ask(front, get("/v1/topics/notes")).await.problem()["detail"], "There is no topic `notes`.");
    let mut settings = Settings::new(infrastructure().kafka_bootstrap(), "steps");
    settings.topic_prefix.clone_from(&prefix);
    let notes = TopicDeclaration { name: "notes".to_owned(), ..TopicDeclaration::dead_letters("watcher") };
    tokio::task::spawn_blocking(move || create_topics(&settings, &[notes])).await.unwrap().unwrap();
    let note = RawRecord::new("a", "a note").to_partition(0);
    infrastructure().broker().write(&format!("{prefix}notes"), [note]).unwrap();
    let shown: Value = serde_json::from_slice(ask(front, get("/v1/topics/notes")).await.body()).unwrap();
    assert_eq!(shown[0]["value"], "a note");
    assert!(shown[0]["problem"].as_str().unwrap().contains("magic byte"), "{shown}");
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await, Some(0));
}

#[tokio::test]
async fn without_a_broker_there_is_nothing_to_be_seen_for_now() {
    let mut service = started("", "127.0.0.1:1");
    let front = service.ready().await;
    let answer = ask(front, get("/v1/topics/notes")).await;
    assert!(answer.problem()["detail"].as_str().unwrap().starts_with("The broker at 127.0.0.1:1 does not answer"));
    assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await, Some(0));
}

#[tokio::test]
async fn a_process_with_open_event_streams_stops_as_soon_as_they_have_ended() {
    let mut service = started("", infrastructure().kafka_bootstrap());
    let mut client = RawClient::connected(service.ready().await).await;
    client.send(get("/v1/beat")).await;
    client.until(": beat\n\n").await;
    service.signal(Signal::SIGTERM);
    client.until("0\r\n\r\n").await;
    assert_eq!(service.ended().await, Some(0));
}

/// The deadline for the drain is longer than any test waits.
fn started(prefix: &str, kafka: &str) -> Running {
    let kafka = format!("--kafka-bootstrap={kafka}");
    Running::started("watcher", &["--drain-deadline-ms=600000", &kafka, &format!("--topic-prefix={prefix}")])
}
