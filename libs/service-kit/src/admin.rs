use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use streams_kafka::{KafkaStreams, Status};

use crate::http::{Limits, Problem};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::stores;

/// What orchestrators and Prometheus ask, on a port of its own that the world does not see.
///
/// - `/livez`: 200 while the process runs. It says nothing of what the process needs; a restart would not mend that.
/// - `/readyz`: 200 when requests will be served, else 503; the body names what is awaited and why.
/// - `/metrics`: Prometheus' text format.
/// - `POST /leave`: gives the partitions to the other instances for good, and answers when that is done. To be asked before
///   the process is stopped if none is to come back in its place.
/// - [`/stores`](stores): for the other instances.
pub(crate) fn router(readiness: Readiness, metrics: Metrics, streams: Streams) -> Router {
    Router::new()
        .route("/livez", get(async || Json(json!({"status": "live"}))))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(expose).with_state(metrics))
        .route("/leave", post(leave).with_state(streams.clone()))
        .route("/stores/{store}", get(stores::read).with_state(streams))
}

/// What one client of the admin port may cost: another instance puts all its questions on one connection, as many as it has
/// readers waiting.
pub(crate) fn limits() -> Limits {
    Limits { streams: 100_000, ..Limits::default() }
}

/// The streams of this process, which come later than the port.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<OnceLock<Arc<KafkaStreams>>>);

impl Streams {
    pub(crate) fn arrived(&self, streams: Arc<KafkaStreams>) {
        // They come once.
        let _ = self.0.set(streams);
    }

    /// # Errors
    /// 503: they are not there yet, or never will be.
    pub(crate) fn running(&self) -> Result<&Arc<KafkaStreams>, Problem> {
        self.0.get().ok_or_else(|| Problem::unavailable("No streams are running.", Duration::from_secs(1)))
    }
}

async fn leave(State(streams): State<Streams>) -> Result<impl IntoResponse, Problem> {
    let streams = streams.running()?;
    streams.leave();
    let mut status = streams.status();
    let has_ended = |status: &Status| matches!(status, Status::Left | Status::Stopped | Status::Failed(_));
    match status.wait_for(has_ended).await.as_deref() {
        Ok(Status::Left) => Ok(Json(json!({"status": "left"}))),
        Ok(ended) => Err(Problem::conflict(format!("The streams have {ended}."))),
        Err(error) => Err(Problem::internal(error)),
    }
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
