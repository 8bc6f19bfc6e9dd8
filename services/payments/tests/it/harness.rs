use std::sync::OnceLock;

use avro_codec::Schemas;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use shared_schemas::{PAYMENTS, Payment};
use test_kit::{HTTP, Service, answer};

/// The payments service, and the means to be its clients.
pub struct Payments {
    pub service: Service,
    pub schemas: Schemas,
}

/// The one that all tests share that do not stop or starve it.
pub fn shared() -> &'static Payments {
    static SHARED: OnceLock<Payments> = OnceLock::new();
    SHARED.get_or_init(|| Payments::started(&[]).expect("the service starts"))
}

impl Payments {
    /// One of the test's own.
    pub fn started(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let service = Service::new(env!("CARGO_BIN_EXE_payments"), settings)?;
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

    /// `POST` of a payment, to be sent.
    pub fn posting(&self, payment: &Value) -> RequestBuilder {
        HTTP.post(self.service.url() + "/v1/payments").json(payment)
    }

    /// The same, sent.
    pub async fn post(&self, payment: &Value) -> reqwest::Result<Response> {
        self.posting(payment).send().await
    }

    /// Has a payment received under this id.
    pub async fn pay(&self, id: &str) -> anyhow::Result<Value> {
        answer(self.post(&payment(id)).await?, 201).await
    }

    /// `GET` of a payment by its id, with a query such as `?timeout=0`.
    pub async fn get(&self, id_and_query: &str) -> reqwest::Result<Response> {
        HTTP.get(format!("{}/v1/payments/{id_and_query}", self.service.url())).send().await
    }

    /// What the log says of a payment.
    pub fn said(&self, id: &str) -> anyhow::Result<Vec<Payment>> {
        let mut payments: Vec<Payment> = self.service.values(&PAYMENTS, &self.schemas)?;
        payments.retain(|payment| payment.id == id);
        Ok(payments)
    }
}

/// A payment as a client writes it.
pub fn payment(id: &str) -> Value {
    json!({"id": id, "orderId": "order-1", "amount": 15.00})
}
