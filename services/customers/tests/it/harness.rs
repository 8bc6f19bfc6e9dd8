use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use avro_codec::Schemas;
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use shared_schemas::{CUSTOMERS, Customer};
use test_kit::{HTTP, Service};

/// The customers service, and the means to be its clients.
pub struct Customers {
    pub service: Service,
    pub schemas: Schemas,
}

/// The one that all tests share that do not stop or starve it.
pub fn shared() -> &'static Customers {
    static SHARED: OnceLock<Customers> = OnceLock::new();
    SHARED.get_or_init(|| Customers::started(&[]).expect("the service starts"))
}

impl Customers {
    /// One of the test's own.
    pub fn started(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let service = Service::new(env!("CARGO_BIN_EXE_customers"), settings)?;
        let schemas = service.register_schemas(&[])?;
        service.create_topics(&[])?;
        service.start()?;
        Ok(Self { service, schemas })
    }

    /// Another instance of it, in the next slot, which runs.
    pub fn beside(&self) -> anyhow::Result<Self> {
        let service = self.service.beside(&[("INSTANCE", "1")]);
        service.start()?;
        Ok(Self { service, schemas: self.schemas.clone() })
    }

    /// `PUT` of a customer under a precondition such as `("If-Match", "*")`, to be sent.
    pub fn putting(&self, id: i64, (name, value): (&str, &str), customer: &Value) -> RequestBuilder {
        HTTP.put(self.url(id)).header(name, value).json(customer)
    }

    /// The same, sent.
    pub async fn put(&self, id: i64, precondition: (&str, &str), customer: &Value) -> reqwest::Result<Response> {
        self.putting(id, precondition, customer).send().await
    }

    /// Has a customer created with this id.
    pub async fn create(&self, id: i64) -> anyhow::Result<Value> {
        test_kit::answer(self.put(id, CREATE, &customer("Ada")).await?, 201).await
    }

    /// `GET` of a customer, with a query such as `?timeout=0`.
    pub async fn get(&self, id: i64, query: &str) -> reqwest::Result<Response> {
        HTTP.get(self.url(id) + query).send().await
    }

    /// Where a customer is.
    pub fn url(&self, id: i64) -> String {
        format!("{}/v1/customers/{id}", self.service.url())
    }

    /// The versions of a customer in the log.
    pub fn versions(&self, id: i64) -> anyhow::Result<Vec<i32>> {
        let customers: Vec<Customer> = self.service.values(&CUSTOMERS, &self.schemas)?;
        Ok(customers.iter().filter(|customer| customer.id == id).map(|customer| customer.version).collect())
    }
}

/// The precondition of a creation.
pub const CREATE: (&str, &str) = ("If-None-Match", "*");

/// A customer that nobody else has.
pub fn new_id() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A customer as a client writes it.
pub fn customer(first_name: &str) -> Value {
    json!({
        "firstName": first_name, "lastName": "Miller", "email": "ada@example.com", "address": "1 Mill Lane",
        "level": "GOLD",
    })
}

/// The entity tag of an answer.
pub fn tag(headers: &HeaderMap) -> Option<&str> {
    headers.get("etag")?.to_str().ok()
}
