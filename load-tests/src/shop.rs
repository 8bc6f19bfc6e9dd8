use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use local::Interrupt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::latencies::Latencies;
use crate::pace::Pace;

/// The customers: one thread that keeps few connections and costs little.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) client: reqwest::Client,
    pub(crate) runtime: Runtime,
    url: String,
}

impl Shop {
    /// Customers of the orders service at `url`.
    pub(crate) fn at(url: String) -> anyhow::Result<Self> {
        let client =
            reqwest::Client::builder().tcp_nodelay(true).no_proxy().timeout(Duration::from_secs(70)).build()?;
        Ok(Self { client, runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?, url })
    }

    /// Places orders in an open loop, and takes for each the time from its intended start until its verdict is read.
    ///
    /// No two calls may have the same `label`.
    pub(crate) fn order(&self, pace: Pace, label: &str, interrupt: &Interrupt) -> anyhow::Result<Latencies> {
        let (sender, mut starts) = mpsc::unbounded_channel();
        thread::scope(|scope| {
            // A thread of its own: the timers of the runtime are a millisecond wide.
            let clock = scope.spawn(move || {
                pace.keep(interrupt, |number, intended| {
                    // Nobody listens any more if a journey panicked, which is told below.
                    let _ = sender.send((number, intended));
                })
            });
            let latencies = self.runtime.block_on(async {
                let mut journeys = JoinSet::new();
                while let Some((number, intended)) = starts.recv().await {
                    journeys.spawn(journey(
                        self.client.clone(),
                        self.url.clone(),
                        format!("{label}-{number}"),
                        intended,
                    ));
                }
                let mut latencies = Latencies::default();
                while let Some(journey) = journeys.join_next().await {
                    match journey? {
                        Ok(duration) => latencies.record(duration),
                        Err(error) => {
                            eprintln!("  an order failed: {error:#}");
                            latencies.errors += 1;
                        }
                    }
                }
                anyhow::Ok(latencies)
            });
            clock.join().map_err(|_| anyhow::Error::msg("the clock panicked"))??;
            latencies
        })
    }

    /// Waits until the order of this id is VALIDATED.
    pub(crate) async fn await_verdict(&self, id: &str) -> anyhow::Result<()> {
        read_verdict(&self.client, &self.url, id).await
    }
}

/// One order, from its intended start to its verdict.
async fn journey(client: reqwest::Client, url: String, id: String, intended: Instant) -> anyhow::Result<Duration> {
    let order = json!({"id": id, "customerId": 1, "product": "JUMPERS", "quantity": 1, "price": 9.99});
    let placed = client.post(format!("{url}/v1/orders")).json(&order).send().await?;
    ensure!(placed.status() == StatusCode::CREATED, "{} for {id}: {}", placed.status(), placed.text().await?);
    placed.bytes().await?;
    read_verdict(&client, &url, &id).await?;
    Ok(intended.elapsed())
}

async fn read_verdict(client: &reqwest::Client, url: &str, id: &str) -> anyhow::Result<()> {
    let read = client.get(format!("{url}/v1/orders/{id}/validated?timeout=60000")).send().await?;
    ensure!(read.status() == StatusCode::OK, "{} for the verdict on {id}", read.status());
    let order: Value = read.json().await.context("the verdict is no JSON")?;
    ensure!(order["state"] == "VALIDATED", "the verdict on {id} is {}", order["state"]);
    Ok(())
}
