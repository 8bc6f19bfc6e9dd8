//! The smallest HTTP service: `cargo run -p service-kit --example greeter`, then `curl 127.0.0.1:8080/v1/greetings/you`.

use std::process::ExitCode;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use service_kit::http::{Parameters, Problem};
use service_kit::{Context, Service};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Greets whoever asks
#[derive(Debug, clap::Args)]
struct Options {
    /// The word before the name
    #[arg(long, env = "GREETING", default_value = "Hello")]
    greeting: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct Greeting {
    /// What is said
    #[schema(example = "Hello, you")]
    text: String,
}

fn main() -> ExitCode {
    Service::<Options>::new("greeter").http(router).run()
}

fn router(context: &Context<Options>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(greet)).with_state(context.options().clone())
}

/// Greets after a while
#[utoipa::path(
    get,
    path = "/v1/greetings/{name}",
    params(("name" = String, Path), ("after" = Option<u64>, Query, description = "Milliseconds to think")),
    responses((status = 200, body = Greeting), (status = 400, body = Problem, content_type = "application/problem+json"))
)]
async fn greet(
    State(options): State<Arc<Options>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Json<Greeting>, Problem> {
    let after = parameters.milliseconds("after", 0..=60_000)?;
    tracing::info!(name, "asked for a greeting");
    tokio::time::sleep(after.unwrap_or_default()).await;
    Ok(Json(Greeting { text: format!("{}, {name}", options.greeting) }))
}
