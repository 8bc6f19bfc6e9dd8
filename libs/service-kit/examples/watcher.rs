//! A service that looks on: it shows the topics of the system, tells whoever listens that it is still there, and counts
//! what comes in the topics that its options name.

use std::convert::Infallible;
use std::process::ExitCode;
use std::time::Duration;

use avro_codec::AvroRecord;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service_kit::http::Problem;
use service_kit::{Context, Service, SinkEvent};
use streams::{Topic, TopicDeclaration};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const READINGS: Topic<Reading> = Topic::new("readings", "heat", |reading| reading.sensor.clone());

/// Looks on
#[derive(Debug, clap::Args)]
struct Options {
    /// Sensors with topics of their own, whose readings are counted; separated by commas
    #[arg(long, env = "SENSORS", value_delimiter = ',', value_name = "NAME,…")]
    sensors: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reading {
    sensor: String,
}

impl AvroRecord for Reading {
    const SCHEMA: &'static str = r#"{"type":"record","name":"Reading","fields":[{"name":"sensor","type":"string"}]}"#;
}

fn main() -> ExitCode {
    Service::<Options>::new("watcher").sinks_of(topics).browses().http(router).task("the counting", count).run()
}

fn topics(options: &Options) -> Vec<TopicDeclaration> {
    let of = |sensor: &String| TopicDeclaration { name: format!("readings-{sensor}"), ..READINGS.declaration() };
    options.sensors.iter().map(of).collect()
}

async fn count(context: Context<Options>) -> anyhow::Result<()> {
    let stopping = context.stopping();
    if context.options().sensors.is_empty() {
        stopping.cancelled().await;
        return Ok(());
    }
    let mut sink = context.sink();
    loop {
        let event = tokio::select! {
            event = sink.next() => event?,
            () = stopping.cancelled() => return Ok(()),
        };
        match event {
            SinkEvent::Assigned(_) => sink.start_at([]),
            SinkEvent::Records(records) => tracing::info!(count = records.len(), "readings"),
        }
    }
}

fn router(context: &Context<Options>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(records)).routes(routes!(beat)).with_state(context.clone())
}

/// The last ten records of the first partition of a topic
#[utoipa::path(get, path = "/v1/topics/{topic}", params(("topic" = String, Path)), responses((status = 200)))]
async fn records(State(context): State<Context<Options>>, Path(topic): Path<String>) -> Result<Json<Value>, Problem> {
    let browser = context.browser();
    let page = spawn_blocking(move || browser.records(&topic, 0, -10, 10)).await.map_err(Problem::internal)??;
    let record = |record: service_kit::PageRecord| json!({"value": record.value, "problem": record.problem});
    Ok(Json(page.records.into_iter().map(record).collect()))
}

/// A comment every second, until the process stops
#[utoipa::path(get, path = "/v1/beat", responses((status = 200, content_type = "text/event-stream")))]
async fn beat(State(context): State<Context<Options>>) -> impl IntoResponse {
    let beats = stream::unfold(context.stopping(), async |stopping| {
        tokio::select! {
            () = sleep(Duration::from_secs(1)) => Some((Ok::<_, Infallible>(": beat\n\n"), stopping)),
            () = stopping.cancelled() => None,
        }
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(beats))
}
