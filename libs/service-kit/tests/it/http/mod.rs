//! A small router behind the kit's server.

mod connections;
mod cors;
mod documents;
mod drain;
mod limits;
mod streams;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use service_kit::http::{JsonBody, Limits, Parameters, Problem, Server, TraceContext, int32, text};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::client::DEADLINE;

/// A server in this process, with the doors that its handlers wait at.
struct Running {
    address: SocketAddr,
    doors: Arc<Doors>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Doors {
    /// A permit for each request that has come to `/wait`.
    arrived: Semaphore,
    /// Lets requests at `/wait` go on.
    go_on: Notify,
    /// A permit for each request at `/wait` whose handler was dropped or has ended.
    left: Semaphore,
}

impl Running {
    async fn started() -> Self {
        Self::limited(Limits::default()).await
    }

    async fn limited(limits: Limits) -> Self {
        Self::draining(limits, DEADLINE).await
    }

    async fn draining(limits: Limits, grace: Duration) -> Self {
        let doors = Arc::new(Doors { arrived: Semaphore::new(0), go_on: Notify::new(), left: Semaphore::new(0) });
        let shutdown = CancellationToken::new();
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
        let address = server.address();
        let router = router(doors.clone(), shutdown.clone());
        let task = tokio::spawn(server.serve(router, shutdown.clone(), grace));
        Self { address, doors, shutdown, task }
    }

    async fn stopped(self) {
        self.shutdown.cancel();
        self.ended().await;
    }

    async fn ended(self) {
        timeout(DEADLINE, self.task).await.expect("the server ends in time").unwrap();
    }
}

impl Doors {
    /// Waits until a request has come to `/wait`.
    async fn arrived(&self) {
        timeout(DEADLINE, self.arrived.acquire()).await.expect("a request arrives in time").unwrap().forget();
    }

    /// Waits until the handler of a request at `/wait` is no more.
    async fn left(&self) {
        timeout(DEADLINE, self.left.acquire()).await.expect("a handler is dropped in time").unwrap().forget();
    }
}

fn router(doors: Arc<Doors>, stopping: CancellationToken) -> Router {
    Router::new()
        .route("/readings", post(reading))
        .route("/readings/{id}", get(async |Path(id): Path<String>| id))
        .route("/patience", get(patience))
        .route("/trace", get(async |trace: TraceContext| Json(json!([trace.traceparent(), trace.tracestate()]))))
        .route("/panic", get(panics))
        .route("/wait", get(waits).with_state(doors.clone()))
        .route("/events", get(events).with_state((doors.clone(), stopping)))
        .route("/forever", get(events).with_state((doors.clone(), CancellationToken::new())))
        .route("/flood", get(flood).with_state(doors))
        .route("/crowd", get(crowd).with_state(Arc::new(AtomicUsize::new(0))))
}

async fn reading(body: JsonBody) -> Result<Json<Value>, Problem> {
    let (sensor, celsius) = body.read(|fields| (fields.required("sensor", text), fields.required("celsius", int32)))?;
    Ok(Json(json!({"sensor": sensor, "celsius": celsius})))
}

async fn patience(parameters: Parameters) -> Result<String, Problem> {
    Ok(format!("{:?}", parameters.milliseconds("timeout", 0..=60_000)?))
}

async fn panics() -> &'static str {
    panic!("the password is 1234")
}

async fn waits(State(doors): State<Arc<Doors>>) -> &'static str {
    let leaving = Leaving(doors.clone());
    let go_on = doors.go_on.notified();
    doors.arrived.add_permits(1);
    go_on.await;
    drop(leaving);
    "done"
}

/// Notes that a handler, or what it has answered with, is no more.
struct Leaving(Arc<Doors>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.left.add_permits(1);
    }
}

/// One event at once, and another each time that the door opens, until the process stops.
async fn events(State((doors, stopping)): State<(Arc<Doors>, CancellationToken)>) -> impl IntoResponse {
    let events = stream::unfold("data: hello\n\n", move |event| {
        let (doors, stopping) = (doors.clone(), stopping.clone());
        async move {
            if event.is_empty() {
                tokio::select! {
                    () = doors.go_on.notified() => return Some((Ok::<_, Infallible>("data: more\n\n"), "")),
                    () = stopping.cancelled() => return None,
                }
            }
            Some((Ok(event), ""))
        }
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(events))
}

/// More than anybody can take.
async fn flood(State(doors): State<Arc<Doors>>) -> Body {
    let leaving = Leaving(doors);
    Body::from_stream(stream::unfold(leaving, async |leaving| Some((Ok::<_, Infallible>(vec![b' '; 65536]), leaving))))
}

/// How many requests were here at once, as far as this one saw.
async fn crowd(State(present): State<Arc<AtomicUsize>>) -> String {
    let mut most = present.fetch_add(1, Ordering::SeqCst) + 1;
    // Gives the others every opportunity to come in.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
        most = most.max(present.load(Ordering::SeqCst));
    }
    present.fetch_sub(1, Ordering::SeqCst);
    most.to_string()
}
