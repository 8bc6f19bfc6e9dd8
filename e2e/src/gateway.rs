use local::Addresses;
use reqwest::Client;
use serde_json::Value;

use crate::client::{ANSWERED_WITHIN, Answer, answer};

/// An instance of a service with an HTTP interface, as its clients see it.
#[derive(Clone, Debug)]
pub struct Gateway {
    http: Client,
    url: String,
}

impl Gateway {
    /// All instances of a service, each with connections of its own.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn instances(addresses: &Addresses, service: &str) -> anyhow::Result<Vec<Self>> {
        let instances = addresses.services.iter().filter(|instance| instance.service == service);
        instances.filter_map(|instance| instance.url.clone()).map(Self::at).collect()
    }

    /// `GET` of a path, with its query.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        answer(self.http.get(self.url.clone() + path)).await
    }

    /// `POST` to a path.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        answer(self.http.post(self.url.clone() + path).json(body)).await
    }

    /// `PUT` to a path, if the precondition holds: a header such as `("If-Match", "\"1\"")`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn put(&self, path: &str, (name, value): (&str, &str), body: &Value) -> anyhow::Result<Answer> {
        answer(self.http.put(self.url.clone() + path).header(name, value).json(body)).await
    }

    fn at(url: String) -> anyhow::Result<Self> {
        Ok(Self { http: Client::builder().no_proxy().timeout(ANSWERED_WITHIN).build()?, url })
    }
}
