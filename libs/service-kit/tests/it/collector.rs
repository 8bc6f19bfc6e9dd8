use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use test_kit::eventually;
use tokio::net::TcpListener;

use crate::client::DEADLINE;

/// A collector that takes traces over OTLP/HTTP, as protobuf.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    told: Arc<Mutex<Vec<Told>>>,
}

/// A span, with the attributes of it and of its process as text.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) resource: BTreeMap<String, String>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) span: Span,
}

impl Collector {
    pub(crate) async fn listening() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self { endpoint, told: Arc::default() };
        let router = Router::new().route("/v1/traces", post(take)).with_state(collector.told.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// The span of this name, when it has been told.
    pub(crate) async fn span(&self, name: &str) -> Told {
        let what = format!("`{name}` is told");
        eventually(&what, DEADLINE, async || self.told().into_iter().find(|told| told.span.name == name)).await
    }
}

impl Told {
    pub(crate) fn trace_id(&self) -> String {
        hex(&self.span.trace_id)
    }

    pub(crate) fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    pub(crate) fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }
}

async fn take(State(told): State<Arc<Mutex<Vec<Told>>>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    for process in request.resource_spans {
        let resource = as_text(&process.resource.map(|resource| resource.attributes).unwrap_or_default());
        for span in process.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let (resource, attributes) = (resource.clone(), as_text(&span.attributes));
            told.lock().unwrap().push(Told { resource, attributes, span });
        }
    }
    StatusCode::OK
}

fn as_text(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    };
    attributes.iter().filter_map(|attribute| Some((attribute.key.clone(), text(attribute)?))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
