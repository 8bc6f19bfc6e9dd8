use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::http::Problem;
use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// What orchestrators and Prometheus ask, on a port of its own that the world does not see.
///
/// - `/livez`: 200 while the process runs. It says nothing of what the process needs; a restart would not mend that.
/// - `/readyz`: 200 when requests will be served, else 503; the body names what is awaited and why.
/// - `/metrics`: Prometheus' text format.
pub(crate) fn router(readiness: Readiness, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(async || Json(json!({"status": "live"}))))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(expose).with_state(metrics))
}

async fn readyz(State(readiness): State<Readiness>) -> impl IntoResponse {
    let state = readiness.state();
    if state.is_ready() {
        (StatusCode::OK, Json(json!({"status": "ready"})))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "waiting", "awaiting": state.awaiting})))
    }
}

async fn expose(State(metrics): State<Metrics>) -> Result<impl IntoResponse, Problem> {
    let text = metrics.text().map_err(Problem::internal)?;
    Ok(([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text))
}
