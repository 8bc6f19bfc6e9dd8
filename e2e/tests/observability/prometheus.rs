use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use local::Stack;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::hasty;

/// The Prometheus of a stack, as anybody may ask it.
pub struct Prometheus {
    http: Client,
    url: String,
    /// Where its settings are.
    directory: PathBuf,
}

/// A value, and what tells it from the others.
#[derive(Clone, Debug, Deserialize)]
pub struct Sample {
    pub metric: BTreeMap<String, String>,
    /// When, and the number as text.
    value: (f64, String),
}

/// An alert that waits or fires.
#[derive(Clone, Debug, Deserialize)]
pub struct Alert {
    pub labels: BTreeMap<String, String>,
    state: String,
}

#[derive(Deserialize)]
struct Answer<D> {
    data: D,
}

#[derive(Deserialize)]
struct Vector {
    result: Vec<Sample>,
}

#[derive(Deserialize)]
struct Alerts {
    alerts: Vec<Alert>,
}

/// How long it may take for one answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

impl Prometheus {
    pub fn of(stack: &Stack) -> anyhow::Result<Self> {
        let http = Client::builder().no_proxy().timeout(ANSWERED_WITHIN).build()?;
        Ok(Self { http, url: stack.addresses().prometheus_url, directory: stack.directory().join("prometheus") })
    }

    /// Has it look every second, and takes the minutes out of its alerts ([`hasty`]).
    pub async fn hurry(&self) -> anyhow::Result<()> {
        let shared = local::workspace().join("deploy/observability/prometheus");
        for (file, hastened) in
            [("prometheus.yml", hasty::settings as fn(&str) -> String), ("alerts.yml", hasty::alerts)]
        {
            fs::write(self.directory.join(file), hastened(&fs::read_to_string(shared.join(file))?))?;
        }
        let reloaded = self.http.post(format!("{}/-/reload", self.url)).send().await?;
        let (status, said) = (reloaded.status(), reloaded.text().await?);
        ensure!(status.is_success(), "Prometheus does not take its settings: {said}");
        Ok(())
    }

    /// What an expression comes to now.
    pub async fn query(&self, expression: &str) -> anyhow::Result<Vec<Sample>> {
        let vector: Vector =
            self.ask("query", &[("query", expression)]).await.with_context(|| expression.to_string())?;
        Ok(vector.result)
    }

    /// The alerts that fire.
    pub async fn firing(&self) -> anyhow::Result<Vec<Alert>> {
        let Alerts { alerts } = self.ask("alerts", &[]).await?;
        Ok(alerts.into_iter().filter(|alert| alert.state == "firing").collect())
    }

    async fn ask<D: DeserializeOwned>(&self, what: &str, parameters: &[(&str, &str)]) -> anyhow::Result<D> {
        let url = Url::parse_with_params(&format!("{}/api/v1/{what}", self.url), parameters)?;
        let asked = self.http.get(url).send().await?;
        let (status, said) = (asked.status(), asked.text().await?);
        ensure!(status.is_success(), "Prometheus answers {status}: {said}");
        let Answer { data } = serde_json::from_str(&said)?;
        Ok(data)
    }
}

impl Sample {
    pub fn value(&self) -> f64 {
        self.value.1.parse().unwrap_or(f64::NAN)
    }
}
