use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use tokio::time::{interval, timeout};

/// A client of the orders service, of one instance of it or of several.
#[derive(Clone, Debug)]
pub struct OrdersClient {
    http: reqwest::Client,
    /// One per instance.
    orders_urls: Arc<[String]>,
    /// How many requests were sent, which tells whose turn it is.
    sent: Arc<AtomicUsize>,
}

/// What a client sends to place an order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    pub id: String,
    pub customer_id: i64,
    pub product: String,
    pub quantity: i32,
    pub price: Number,
    /// The service's choice if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// An order as the service shows it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderDocument {
    pub id: String,
    pub customer_id: i64,
    pub state: String,
    pub product: String,
    pub quantity: i32,
    pub price: Number,
    pub version: i32,
    pub reasons: Vec<String>,
    pub updated_at: String,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Null if it is empty or no JSON.
    pub body: Value,
}

/// Longer than the service lets any request wait.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(70);

/// A client repeats itself no faster.
const PACE: Duration = Duration::from_millis(10);

impl NewOrder {
    /// An order nobody objects to: of something there is plenty of, by a customer of its own who spends little.
    pub fn good(id: impl Into<String>) -> Self {
        let id = id.into();
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let customer_id = i64::from(hasher.finish() as u32);
        Self { id, customer_id, product: "JUMPERS".into(), quantity: 3, price: 5.into(), currency: None }
    }

    /// An order of less than nothing, which can be represented but fails its validation.
    pub fn bad(id: impl Into<String>) -> Self {
        Self { quantity: -1, ..Self::good(id) }
    }
}

impl OrdersClient {
    /// A client with connections of its own of the service at `base_url`.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn new(base_url: &str) -> anyhow::Result<Self> {
        Self::of_instances(&[base_url.to_string()], ANSWERED_WITHIN)
    }

    /// A client of the instances at these URLs, which asks them in turn and hangs up on one that does not answer in time.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn of_instances(base_urls: &[String], patience: Duration) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(patience).build()?;
        let orders_urls = base_urls.iter().map(|url| format!("{url}/v1/orders")).collect();
        Ok(Self { http, orders_urls, sent: Arc::default() })
    }

    /// Places an order, and waits for its creation.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn place(&self, order: &NewOrder) -> anyhow::Result<Answer> {
        answer(self.http.post(self.orders_url()).json(order)).await
    }

    /// Places an order, and waits for its creation for so long.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn place_within(&self, order: &NewOrder, timeout: Duration) -> anyhow::Result<Answer> {
        let url = format!("{}?timeout={}", self.orders_url(), timeout.as_millis());
        answer(self.http.post(url).json(order)).await
    }

    /// Places an order in the trace of somebody else.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn place_traced(&self, order: &NewOrder, traceparent: &str) -> anyhow::Result<Answer> {
        answer(self.http.post(self.orders_url()).header("traceparent", traceparent).json(order)).await
    }

    /// Places an order, and waits only until it is journaled.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn place_async(&self, order: &NewOrder) -> anyhow::Result<Answer> {
        answer(self.http.post(self.orders_url()).header("Prefer", "respond-async").json(order)).await
    }

    /// Places an order as the service advises: one that was not acknowledged is placed again under the same id.
    ///
    /// # Panics
    /// If the service gives an answer that is neither an acknowledgement nor a reason to try again, or none within the
    /// given time.
    pub async fn place_until_acknowledged(&self, order: &NewOrder, within: Duration) -> Answer {
        let repeated = async {
            let mut pace = interval(PACE);
            loop {
                if let Some(acknowledgement) = self.acknowledgement(order).await {
                    return acknowledgement;
                }
                pace.tick().await;
            }
        };
        let placed = timeout(within, repeated).await;
        placed.unwrap_or_else(|_| panic!("not within {within:?}: order {} is acknowledged", order.id))
    }

    /// Places an order once. Nothing if it is not acknowledged: the service is away, breaks off, or cannot reach its broker.
    ///
    /// # Panics
    /// If the service gives any other answer.
    pub async fn acknowledgement(&self, order: &NewOrder) -> Option<Answer> {
        match self.place(order).await {
            Ok(answer) if answer.is_acknowledgement() => Some(answer),
            Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => None,
            Ok(answer) => panic!("order {} is answered with {} {}", order.id, answer.status, answer.body),
            Err(_) => None,
        }
    }

    /// An order as it is now.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, id: &str) -> anyhow::Result<Answer> {
        self.get_within(id, Duration::ZERO).await
    }

    /// An order as soon as it exists.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get_within(&self, id: &str, timeout: Duration) -> anyhow::Result<Answer> {
        answer(self.http.get(format!("{}/{id}?timeout={}", self.orders_url(), timeout.as_millis()))).await
    }

    /// An order with its verdict, which is waited for.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get_validated(&self, id: &str, timeout: Duration) -> anyhow::Result<Answer> {
        answer(self.http.get(format!("{}/{id}/validated?timeout={}", self.orders_url(), timeout.as_millis()))).await
    }

    /// An order with its verdict.
    ///
    /// # Errors
    /// If there is none within 60 s.
    pub async fn verdict(&self, id: &str) -> anyhow::Result<OrderDocument> {
        let answer = self.get_validated(id, Duration::from_secs(60)).await;
        answer.and_then(|answer| answer.order()).with_context(|| format!("the verdict on {id}"))
    }

    fn orders_url(&self) -> &str {
        let turn = self.sent.fetch_add(1, Ordering::Relaxed);
        &self.orders_urls[turn % self.orders_urls.len()]
    }
}

impl Answer {
    /// Whether the service has taken responsibility for the order.
    pub fn is_acknowledgement(&self) -> bool {
        matches!(self.status, StatusCode::CREATED | StatusCode::ACCEPTED)
    }

    /// The order in it.
    ///
    /// # Errors
    /// If it is an answer of another kind.
    pub fn order(&self) -> anyhow::Result<OrderDocument> {
        anyhow::ensure!(self.status.is_success(), "no order, but {} {}", self.status, self.body);
        serde_json::from_value(self.body.clone()).with_context(|| format!("no order: {}", self.body))
    }

    /// A header that is there and is text.
    ///
    /// # Errors
    /// If it is not.
    pub fn header(&self, name: &str) -> anyhow::Result<&str> {
        let value = self.headers.get(name).with_context(|| format!("there is no header {name}"))?;
        Ok(value.to_str()?)
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> anyhow::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await?;
    Ok(Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}
