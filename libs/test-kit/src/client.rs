use std::sync::LazyLock;
use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::Value;

use crate::{Service, eventually};

/// A client of services that keeps no connections, since each belongs to the runtime of one test.
pub static HTTP: LazyLock<Client> = LazyLock::new(|| {
    let client = Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(ANSWERED_WITHIN).build();
    client.expect("a client is made")
});

/// By when every request is answered, also one that waits as long as it may, and on a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(90);

/// By when anything that a test waits for has happened.
const WITHIN: Duration = Duration::from_secs(30);

/// The JSON of an answer with this status.
///
/// # Errors
/// It has another, or is no JSON.
pub async fn answer(response: Response, status: u16) -> anyhow::Result<Value> {
    let found = response.status();
    let text = response.text().await?;
    anyhow::ensure!(found == status, "{found} instead of {status}: {text}");
    Ok(serde_json::from_str(&text)?)
}

/// The problem document of an answer with this status.
///
/// # Errors
/// It has another status, or is no problem document with a trace id.
pub async fn problem(response: Response, status: u16) -> anyhow::Result<Value> {
    let media_type = response.headers().get("content-type").cloned();
    let document = answer(response, status).await?;
    let is_problem = media_type.is_some_and(|found| found == "application/problem+json");
    let has_trace = document["traceId"].as_str().is_some_and(|id| id.len() == 32);
    anyhow::ensure!(is_problem && has_trace && document["status"] == status, "no problem document: {document}");
    Ok(document)
}

impl Service {
    /// Whether this instance serves a key of one of its stores, there or not, and not another.
    pub async fn serves(&self, store: &str, key: &str) -> bool {
        let answer = HTTP.get(format!("{}/stores/{store}?key={key}", self.admin_url())).send().await;
        answer.is_ok_and(|answer| [200, 204].contains(&answer.status().as_u16()))
    }

    /// Waits until so many readers are waiting at this instance.
    ///
    /// # Panics
    /// If they are not within 30 s.
    pub async fn waiters_are(&self, count: usize) {
        let line = format!("streams_waiters{{service=\"{}\"}} {count}", self.name());
        let url = self.admin_url() + "/metrics";
        eventually(&line, WITHIN, async || {
            let metrics = HTTP.get(&url).send().await.ok()?.text().await.ok()?;
            metrics.lines().any(|metric| metric == line).then_some(())
        })
        .await;
    }
}
