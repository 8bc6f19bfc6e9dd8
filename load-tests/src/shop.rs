use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use local::Interrupt;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::latencies::Latencies;
use crate::pace::Pace;

/// Of this product the demo has enough for everybody.
pub(crate) const PLENTIFUL: &str = "JUMPERS";

/// The customers: one thread that keeps few connections and costs little.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) client: reqwest::Client,
    pub(crate) runtime: Runtime,
    /// The instances of orders, which are asked in turn.
    urls: Vec<String>,
    /// What is ordered, in turn.
    products: Vec<String>,
    /// Whether each order is in a trace of its own that is told of, or in one that is not; if in any.
    is_sampled: Option<bool>,
}

/// One order, from the moment it was meant to be placed to the moment its verdict was read.
#[derive(Debug)]
pub(crate) struct Journey {
    pub(crate) id: String,
    traceparent: Option<String>,
    pub(crate) intended: Instant,
    /// When the answer to the POST was read.
    pub(crate) placed: Option<Instant>,
    /// Nothing if it did not come to a good end.
    pub(crate) verdict: Option<Instant>,
}

impl Shop {
    /// Customers of the instances of orders at these URLs.
    pub(crate) fn at(urls: Vec<String>) -> anyhow::Result<Self> {
        let client =
            reqwest::Client::builder().tcp_nodelay(true).no_proxy().timeout(Duration::from_secs(70)).build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client, runtime, urls, products: vec![PLENTIFUL.to_string()], is_sampled: None })
    }

    /// The same customers, who want other products.
    pub(crate) fn with_products(&self, products: Vec<String>) -> anyhow::Result<Self> {
        Ok(Self { products, ..Self::at(self.urls.clone())? })
    }

    /// The same customers, who say whether their traces are to be told of.
    pub(crate) fn traced(&self, is_sampled: bool) -> anyhow::Result<Self> {
        Ok(Self { is_sampled: Some(is_sampled), ..Self::at(self.urls.clone())? })
    }

    /// Places orders in an open loop, and takes for each the time from its intended start until its verdict is read.
    ///
    /// Each is of a customer of its own, so that nobody spends too much. No two calls may have the same `label`.
    pub(crate) fn order(&self, pace: Pace, label: &str, interrupt: &Interrupt) -> anyhow::Result<Latencies> {
        Ok(Latencies::of(self.journeys(pace, label, interrupt)?.iter().map(Journey::duration)))
    }

    /// The same, and tells of every order when it was what.
    pub(crate) fn journeys(&self, pace: Pace, label: &str, interrupt: &Interrupt) -> anyhow::Result<Vec<Journey>> {
        self.open_loop(pace, interrupt, |number, intended| {
            let url = &self.urls[number as usize % self.urls.len()];
            let product = &self.products[number as usize % self.products.len()];
            let id = format!("{label}-{number}");
            let order = json!({"id": id, "customerId": number, "product": product, "quantity": 1, "price": 9.99});
            let (client, url) = (self.client.clone(), url.clone());
            let traceparent = self.is_sampled.map(|is_sampled| traceparent(&id, is_sampled));
            async move {
                let mut journey = Journey { id, traceparent, intended, placed: None, verdict: None };
                if let Err(error) = journey.make(&client, &url, &order).await {
                    tell(&error);
                }
                journey
            }
        })
    }

    /// Starts requests at their moments, told their number and that moment, and gives what came of them, in any order.
    pub(crate) fn open_loop<F>(
        &self,
        pace: Pace,
        interrupt: &Interrupt,
        mut request: impl FnMut(u32, Instant) -> F,
    ) -> anyhow::Result<Vec<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let (sender, mut starts) = mpsc::unbounded_channel();
        thread::scope(|scope| {
            // A thread of its own: the timers of the runtime are a millisecond wide.
            let clock = scope.spawn(move || {
                pace.keep(interrupt, |number, intended| {
                    // Nobody listens any more if a request panicked, which is told below.
                    let _ = sender.send((number, intended));
                })
            });
            let outcomes = self.runtime.block_on(async {
                let mut requests = JoinSet::new();
                while let Some((number, intended)) = starts.recv().await {
                    requests.spawn(request(number, intended));
                }
                let mut outcomes = Vec::new();
                while let Some(outcome) = requests.join_next().await {
                    outcomes.push(outcome?);
                }
                anyhow::Ok(outcomes)
            });
            clock.join().map_err(|_| anyhow::Error::msg("the clock panicked"))??;
            outcomes
        })
    }

    /// Waits until the order of this id is VALIDATED.
    pub(crate) async fn await_verdict(&self, id: &str) -> anyhow::Result<()> {
        read_verdict(&self.client, &self.urls[0], id, None).await
    }
}

impl Journey {
    pub(crate) fn duration(&self) -> Option<Duration> {
        self.verdict.map(|verdict| verdict - self.intended)
    }

    async fn make(&mut self, client: &reqwest::Client, url: &str, order: &Value) -> anyhow::Result<()> {
        place(client, url, order, self.traceparent.as_deref()).await?;
        self.placed = Some(Instant::now());
        read_verdict(client, url, &self.id, self.traceparent.as_deref()).await?;
        self.verdict = Some(Instant::now());
        Ok(())
    }
}

/// Says of a request that it failed. It is counted elsewhere.
pub(crate) fn tell(error: &anyhow::Error) {
    eprintln!("  a request failed: {error:#}");
}

/// A trace context that is the same for the same order, and another for another.
fn traceparent(id: &str, is_sampled: bool) -> String {
    let hash = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (id, salt).hash(&mut hasher);
        // None of them may be zero.
        hasher.finish() | 1
    };
    format!("00-{:016x}{:016x}-{:016x}-{:02x}", hash(0), hash(1), hash(2), u8::from(is_sampled))
}

fn in_trace(request: RequestBuilder, traceparent: Option<&str>) -> RequestBuilder {
    traceparent.into_iter().fold(request, |request, traceparent| request.header("traceparent", traceparent))
}

async fn place(client: &reqwest::Client, url: &str, order: &Value, traceparent: Option<&str>) -> anyhow::Result<()> {
    let request = client.post(format!("{url}/v1/orders?timeout=60000")).json(order);
    let placed = in_trace(request, traceparent).send().await?;
    ensure!(placed.status() == StatusCode::CREATED, "{} for {order}: {}", placed.status(), placed.text().await?);
    placed.bytes().await?;
    Ok(())
}

async fn read_verdict(client: &reqwest::Client, url: &str, id: &str, traceparent: Option<&str>) -> anyhow::Result<()> {
    let request = client.get(format!("{url}/v1/orders/{id}/validated?timeout=60000"));
    let read = in_trace(request, traceparent).send().await?;
    ensure!(read.status() == StatusCode::OK, "{} for the verdict on {id}", read.status());
    let order: Value = read.json().await.context("the verdict is no JSON")?;
    ensure!(order["state"] == "VALIDATED", "the verdict on {id} is {}", order["state"]);
    Ok(())
}
