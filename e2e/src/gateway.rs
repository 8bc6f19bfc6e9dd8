use local::Addresses;
use reqwest::{Client, Method};
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

    /// The one at this URL.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn at(url: String) -> anyhow::Result<Self> {
        Ok(Self { http: Client::builder().no_proxy().timeout(ANSWERED_WITHIN).build()?, url })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
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

    /// The same in a trace of the client's.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post_traced(&self, path: &str, body: &Value, traceparent: &str) -> anyhow::Result<Answer> {
        answer(self.http.post(self.url.clone() + path).header("traceparent", traceparent).json(body)).await
    }

    /// `PUT` to a path, if the precondition holds: a header such as `("If-Match", "\"1\"")`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn put(&self, path: &str, (name, value): (&str, &str), body: &Value) -> anyhow::Result<Answer> {
        answer(self.http.put(self.url.clone() + path).header(name, value).json(body)).await
    }

    /// `GET` of a path, as a page from another origin does it.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get_from(&self, path: &str, origin: &str) -> anyhow::Result<Answer> {
        answer(self.http.get(self.url.clone() + path).header("Origin", origin)).await
    }

    /// What a browser asks before it lets a page from another origin `POST` JSON to a path.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn preflight(&self, path: &str, origin: &str) -> anyhow::Result<Answer> {
        let asked = self.http.request(Method::OPTIONS, self.url.clone() + path).header("Origin", origin);
        let asked = asked.header("Access-Control-Request-Method", "POST");
        answer(asked.header("Access-Control-Request-Headers", "content-type")).await
    }
}
