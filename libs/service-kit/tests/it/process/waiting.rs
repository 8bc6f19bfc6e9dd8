use std::net::SocketAddr;

use avro_codec::registry::{Compatibility, Registry};
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_json::Value;
use streams::{TopicDeclaration, subject};
use streams_kafka::{Settings, create_topics};
use test_kit::{eventually, infrastructure, unique};
use tokio::sync::OnceCell;

use super::{Running, output};
use crate::client::{DEADLINE, ask, get, post};

/// A port that nobody listens on.
const NOBODY: &str = "127.0.0.1:1";

#[tokio::test]
async fn a_service_without_its_registry_lives_and_says_what_it_waits_for() {
    let mut service = Running::started("heat", &[&format!("--schema-registry-url=http://{NOBODY}")]);
    let admin = service.admin().await;
    let front = service.front().await;
    let line = service.logged("not ready: the schema registry at").await;
    assert_eq!(line["waiting_for"], "schemas");
    assert_eq!(ask(admin, get("/livez")).await.status(), 200);
    assert!(awaited(admin, "schemas").await.unwrap().contains(NOBODY));
    let unhealthy = output("heat", &[&format!("--admin-listen={admin}"), "health"]).await;
    assert!(String::from_utf8(unhealthy.stderr).unwrap().contains(NOBODY));
    assert_eq!(unhealthy.status.code(), Some(1));
    let answer = ask(front, post("/v1/readings", "{}")).await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.problem()["detail"].as_str().unwrap().contains(NOBODY));
    service.signal(Signal::SIGTERM);
    service.logged("stopped").await;
    assert_eq!(service.ended().await, Some(0));
}

#[tokio::test]
async fn a_service_without_its_broker_lives_and_says_so() {
    register().await;
    let mut service = started("", &[&format!("--kafka-bootstrap={NOBODY}")]);
    let admin = service.admin().await;
    eventually("the broker is named", DEADLINE, async || {
        awaited(admin, "streams").await.filter(|reason| reason.contains(NOBODY))
    })
    .await;
    assert_eq!(ask(admin, get("/livez")).await.status(), 200);
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await, Some(0));
}

#[tokio::test]
async fn a_service_works_as_soon_as_its_topics_are_there() {
    register().await;
    let prefix = format!("{}-", unique("heat"));
    let mut service = started(&prefix, &[]);
    let admin = service.admin().await;
    eventually("the topics are named", DEADLINE, async || {
        awaited(admin, "streams").await.filter(|reason| reason.contains(&format!("{prefix}readings")))
    })
    .await;

    create(&prefix, |topic| topic).await;
    let front = service.ready().await;
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    for celsius in [20, 30, 25] {
        let request = post("/v1/readings", &format!(r#"{{"sensor":"roof","celsius":{celsius}}}"#));
        let traced = format!("traceparent: 00-{trace_id}-00f067aa0ba902b7-01\r\n\r\n{{");
        assert_eq!(ask(front, request.replace("\r\n{", &traced)).await.status(), 202);
    }
    eventually("the highest reading is kept", DEADLINE, async || {
        let answer = ask(front, get("/v1/sensors/roof/highest")).await;
        let highest: Value = serde_json::from_slice(answer.body()).unwrap();
        (highest["celsius"] == 30).then_some(())
    })
    .await;
    let records = infrastructure().broker().read_all(&format!("{prefix}readings")).unwrap();
    assert_eq!(records.len(), 3);
    assert!(str::from_utf8(records[0].header_value("traceparent").unwrap()).unwrap().contains(trace_id));
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await, Some(0));
}

#[tokio::test]
async fn a_topic_that_is_not_as_declared_ends_the_process_with_a_sentence() {
    register().await;
    let prefix = format!("{}-", unique("heat"));
    create(&prefix, |topic| TopicDeclaration { partitions: topic.partitions + 1, ..topic }).await;
    let mut service = started(&prefix, &[]);
    let line = service.logged("stopping: the stream thread failed").await;
    assert!(line["message"].as_str().unwrap().contains("partitions"), "{line}");
    assert_eq!(service.ended().await, Some(1));
}

/// The example with the real broker and registry.
pub(super) fn started(prefix: &str, arguments: &[&str]) -> Running {
    let stack = infrastructure();
    let defaults = [
        format!("--kafka-bootstrap={}", stack.kafka_bootstrap()),
        format!("--schema-registry-url={}", stack.schema_registry_url()),
        format!("--topic-prefix={prefix}"),
    ];
    let mut all: Vec<&str> = defaults.iter().map(String::as_str).collect();
    all.retain(|default| !arguments.iter().any(|given| given.split('=').next() == default.split('=').next()));
    all.extend(arguments);
    Running::started("heat", &all)
}

/// What the service says that it waits for under this name.
async fn awaited(admin: SocketAddr, name: &str) -> Option<String> {
    let answer = ask(admin, get("/readyz")).await;
    let state: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!((answer.status(), &state["status"]), (503, &Value::from("waiting")));
    state["awaiting"][name].as_str().map(str::to_owned)
}

/// What the schema step does, for all that the service describes: once, since registries refuse to do it twice at a time.
pub(super) async fn register() {
    static REGISTERED: OnceCell<()> = OnceCell::const_new();
    let register = async || {
        let registry = Registry::new(infrastructure().schema_registry_url(), DEADLINE).unwrap();
        for topic in described().await {
            let Some(schema) = topic.schema else { continue };
            registry.register(&subject(&topic.name), &schema, Compatibility::BackwardTransitive).await.unwrap();
        }
    };
    REGISTERED.get_or_init(register).await;
}

/// What the topic step does, for all that the service describes.
pub(super) async fn create(prefix: &str, change: impl Fn(TopicDeclaration) -> TopicDeclaration) {
    let mut settings = Settings::new(infrastructure().kafka_bootstrap(), "steps");
    settings.topic_prefix = prefix.to_owned();
    let topics: Vec<_> = described().await.into_iter().map(change).collect();
    let created = tokio::task::spawn_blocking(move || create_topics(&settings, &topics));
    assert_eq!(created.await.unwrap().unwrap().len(), 3);
}

async fn described() -> Vec<TopicDeclaration> {
    #[derive(Deserialize)]
    struct Described {
        writes: Vec<TopicDeclaration>,
    }
    let described: Described = serde_json::from_slice(&output("heat", &["describe"]).await.stdout).unwrap();
    described.writes
}
