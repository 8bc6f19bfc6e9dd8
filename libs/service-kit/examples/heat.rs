//! A whole service in one file: readings come in over HTTP, are journaled, and a topology keeps the highest of each
//! sensor, which can be read as soon as it is committed.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use avro_codec::AvroRecord;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use service_kit::http::{JsonBody, Parameters, Problem, TraceContext, int32, text};
use service_kit::{Clock, Context, Journal, Service, View};
use streams::{Store, Topic, Topology};
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const READINGS: Topic<Reading> = Topic::new("readings", "heat", |reading| reading.sensor.clone());
const HIGHEST: Store<Reading> = Store::new("highest");

/// Keeps the highest temperature of each sensor
#[derive(Debug, clap::Args)]
struct Options {
    /// Milliseconds that a read waits for a sensor nobody has heard of, unless it says otherwise
    #[arg(long = "patience-ms", env = "PATIENCE_MS", default_value = "10000", value_name = "MS")]
    #[arg(value_parser = service_kit::milliseconds)]
    patience: Duration,
}

/// What a sensor has measured
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
struct Reading {
    sensor: String,
    celsius: i32,
}

impl AvroRecord for Reading {
    const SCHEMA: &'static str = r#"{"type":"record","name":"Reading","fields":[
        {"name":"sensor","type":"string"},{"name":"celsius","type":"int"}]}"#;
}

/// What the handlers share.
struct Api {
    options: Arc<Options>,
    clock: Clock,
    journal: Journal,
    highest: View<Reading>,
}

fn main() -> ExitCode {
    Service::<Options>::new("heat").topology(topology).journals(&READINGS).http(router).run()
}

fn topology(_: &Options) -> Topology {
    let topology = Topology::new("heat");
    topology.stream(&READINGS).process(&HIGHEST, |reading, highest| {
        if highest.get(reading.key).is_none_or(|highest| highest.celsius < reading.value.celsius) {
            highest.put(reading.key, reading.value);
        }
        None::<Reading>
    });
    topology
}

fn router(context: &Context<Options>) -> OpenApiRouter {
    let api = Api {
        options: context.options().clone(),
        clock: context.clock(),
        journal: context.journal().clone(),
        highest: context.view(&HIGHEST),
    };
    OpenApiRouter::new().routes(routes!(post_reading)).routes(routes!(get_highest)).with_state(Arc::new(api))
}

/// Takes a reading
#[utoipa::path(
    post,
    path = "/v1/readings",
    request_body = Reading,
    responses(
        (status = 202, description = "Journaled"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn post_reading(State(api): State<Arc<Api>>, trace: TraceContext, body: JsonBody) -> Result<StatusCode, Problem> {
    let reading = body.read(|fields| Reading {
        sensor: fields.required("sensor", text),
        celsius: fields.required("celsius", int32),
    })?;
    let appended = api.journal.append(&READINGS, &reading, (api.clock)(), Some(&trace.traceparent())).await;
    appended.map_err(|error| Problem::unavailable(error.to_string(), Duration::from_secs(1)))?;
    Ok(StatusCode::ACCEPTED)
}

/// The highest reading of a sensor, as soon as there is one
#[utoipa::path(
    get,
    path = "/v1/sensors/{id}/highest",
    params(("id" = String, Path), ("timeout" = Option<u64>, Query, description = "Milliseconds to wait for it")),
    responses(
        (status = 200, body = Reading),
        (status = 504, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_highest(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Reading>, Problem> {
    let patience = parameters.milliseconds("timeout", 0..=60_000)?.unwrap_or(api.options.patience);
    match timeout(patience, api.highest.wait_for(&id, Some)).await {
        Ok(highest) => highest.map(Json).map_err(Problem::internal),
        Err(_) => Err(Problem::timed_out("The sensor has not been heard of in time.")),
    }
}
