use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A provider that honours the key: of the requests with one key the first is delivered, the others are told so.
#[derive(Clone, Debug, Default)]
pub struct Provider {
    requests: Arc<Mutex<BTreeMap<String, Vec<Value>>>>,
    /// Whether it keeps its answers to itself.
    is_silent: watch::Sender<bool>,
}

impl Provider {
    /// From here on it takes mails and says nothing, until it is to answer again, also about these.
    pub fn be_silent(&self, is_silent: bool) {
        self.is_silent.send_replace(is_silent);
    }

    /// Listens, and returns its URL.
    pub async fn listening(&self) -> anyhow::Result<String> {
        self.listening_at(([127, 0, 0, 1], 0).into()).await
    }

    /// Listens at this address.
    pub async fn listening_at(&self, address: SocketAddr) -> anyhow::Result<String> {
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}/v1/mails", listener.local_addr()?);
        let router = Router::new().route("/v1/mails", post(deliver)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(url)
    }

    /// The keys of all mails that it has delivered, each with how often it was asked to.
    pub fn deliveries(&self) -> BTreeMap<String, usize> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|(key, bodies)| (key.clone(), bodies.len())).collect()
    }

    /// Panics if two requests with one key were not about the same mail.
    pub fn assert_repetitions_are_equal(&self) {
        for (key, bodies) in self.requests.lock().unwrap().iter() {
            assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{key}: {bodies:?}");
        }
    }
}

async fn deliver(State(provider): State<Provider>, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    let Some(key) = headers.get("Idempotency-Key").and_then(|key| key.to_str().ok()) else {
        return StatusCode::BAD_REQUEST;
    };
    let answer = {
        let mut requests = provider.requests.lock().unwrap();
        let of_key = requests.entry(key.to_string()).or_default();
        of_key.push(body);
        if of_key.len() == 1 { StatusCode::ACCEPTED } else { StatusCode::CONFLICT }
    };
    let mut is_silent = provider.is_silent.subscribe();
    let _ = is_silent.wait_for(|is_silent| !is_silent).await;
    answer
}
