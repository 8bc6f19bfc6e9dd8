#![expect(clippy::disallowed_methods, reason = "how long an answer took is measured here")]

use std::any::Any;
use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, UpDownCounter};
use opentelemetry_sdk::trace::SdkTracer;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument, error_span};

use super::span::ServerSpan;
use super::{Limits, PROBLEM_JSON, Problem, TRACERESPONSE, TraceContext};

/// How much of a body that is too large is read and thrown away before it is refused. A client that still writes when the
/// connection closes loses the answer.
const DISCARDED_BYTES: usize = 16 * 1024 * 1024;

/// How much of a refusal in plain text becomes the detail of its problem document.
const DETAIL_BYTES: usize = 1024;

/// What stands between the connection and the handlers: every request gets a trace, limits and a deadline, every error
/// becomes a problem document, every answer is counted.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    limits: Limits,
    closing: CancellationToken,
    /// Who is told of each request, if anybody is.
    tracer: Option<SdkTracer>,
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

impl Edge {
    /// When `closing` is cancelled, requests that are still waiting are answered with 503.
    pub(super) fn new(limits: Limits, closing: CancellationToken, tracer: Option<SdkTracer>) -> Self {
        let meter = opentelemetry::global::meter("service-kit");
        // Names, units and buckets are those of OpenTelemetry's semantic conventions for HTTP, with two more buckets for
        // reads that wait.
        let duration = meter
            .f64_histogram("http.server.request.duration")
            .with_unit("s")
            .with_description("Time from the arrival of a request to its answer.")
            .with_boundaries(vec![
                0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0,
            ])
            .build();
        let active = meter
            .i64_up_down_counter("http.server.active_requests")
            .with_description("Requests that have arrived and are not answered yet.")
            .build();
        Self { limits, closing, tracer, duration, active }
    }

    pub(super) fn around(self, router: Router) -> Router {
        let cors = self.limits.cors_origins.layer();
        let router = router
            .layer(CatchPanicLayer::custom(panicked))
            .layer(DefaultBodyLimit::disable())
            .layer(from_fn_with_state(self, observed));
        // Outermost, so that a page may also read why it is refused.
        match cors {
            Some(cors) => router.layer(cors),
            None => router,
        }
    }

    async fn answered(&self, request: Request, next: Next) -> Response {
        let answer = async {
            match self.admitted(request).await {
                Ok(request) => next.run(request).await,
                Err(problem) => problem.into_response(),
            }
        };
        tokio::select! {
            answer = timeout(self.limits.request_timeout, answer) => answer.unwrap_or_else(|_| {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The service did not answer in time.").into_response()
            }),
            () = self.closing.cancelled() => {
                Problem::unavailable("The service is shutting down.", Duration::from_secs(1)).into_response()
            }
        }
    }

    /// The request with its whole body, if head and body are within the limits.
    async fn admitted(&self, request: Request) -> Result<Request, Problem> {
        let (head, body) = request.into_parts();
        let head_bytes = self.limits.head_bytes as usize;
        if head.uri.path_and_query().is_some_and(|path| path.as_str().len() > head_bytes) {
            return Err(Problem::from_status(StatusCode::URI_TOO_LONG));
        }
        if head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > head_bytes {
            return Err(Problem::from_status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        }
        if body.is_end_stream() {
            return Ok(Request::from_parts(head, body));
        }
        let body = timeout(self.limits.body_timeout, self.collected(&head.headers, body))
            .await
            .map_err(|_| Problem::too_slow(self.limits.body_timeout))??;
        Ok(Request::from_parts(head, Body::from(body)))
    }

    async fn collected(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
        let limit = self.limits.body_bytes;
        let too_large = || Problem::too_large(limit);
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|bytes| bytes > limit) && headers.contains_key(EXPECT) {
            return Err(too_large());
        }
        let mut body = Limited::new(body, DISCARDED_BYTES.max(limit));
        let mut collected = Vec::with_capacity(announced.unwrap_or_default().min(limit));
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
                Some(_) => too_large(),
                None => Problem::bad_request("The body broke off."),
            })?;
            let Ok(data) = frame.into_data() else { continue };
            length += data.len();
            if length <= limit {
                collected.extend_from_slice(&data);
            }
        }
        if length <= limit { Ok(collected.into()) } else { Err(too_large()) }
    }

    fn count(&self, method: &Method, route: Option<&MatchedPath>, status: StatusCode, seconds: f64) {
        let mut attributes = vec![
            KeyValue::new("http.request.method", known(method)),
            KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
        ];
        attributes.extend(route.map(|route| KeyValue::new("http.route", route.as_str().to_owned())));
        self.duration.record(seconds, &attributes);
    }
}

async fn observed(State(edge): State<Edge>, mut request: Request, next: Next) -> Result<Response, Infallible> {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let (tracer, path) = (edge.tracer.as_ref(), request.uri().path());
    let served = ServerSpan::begun(tracer, &method, path, route.as_ref(), request.headers());
    let trace = served.trace.clone();
    // At the highest level, so that the trace id stands in every line that is logged at all.
    let span = error_span!("request", trace_id = trace.trace_id(), %method, path = request.uri().path());
    request.extensions_mut().insert(trace.clone());

    let answer = async {
        let active = Active::new(&edge.active);
        let mut response = documented(edge.answered(request, next).await, &trace).await;
        drop(active);
        response.headers_mut().insert(TRACERESPONSE, trace.response_header());
        let (status, elapsed) = (response.status(), began.elapsed());
        edge.count(&method, route.as_ref(), status, elapsed.as_secs_f64());
        served.answered(status);
        // Whoever failed has said why, and the metrics count; a line for every answer is for those who look closely.
        tracing::debug!(status = status.as_u16(), elapsed_ms = elapsed.as_millis(), "answered");
        response
    };
    Ok(answer.instrument(span).await)
}

/// The response; where it is an error, as a problem document that names the trace.
async fn documented(mut response: Response, trace: &TraceContext) -> Response {
    let status = response.status();
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if (status.is_client_error() || status.is_server_error()) && is_plain(response.headers()) => {
            let body = std::mem::take(response.body_mut());
            refused(status, body).await
        }
        None => return response,
    };
    let document = problem.traced(trace.trace_id()).body();
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    *response.body_mut() = Body::from(document);
    response
}

/// The words of a refusal by the router or an extractor, which come as plain text or not at all.
async fn refused(status: StatusCode, body: Body) -> Problem {
    let words = axum::body::to_bytes(body, DETAIL_BYTES).await.unwrap_or_default();
    match String::from_utf8(words.into()) {
        Ok(words) if status.is_client_error() && !words.is_empty() => Problem::new(status, words),
        _ => Problem::from_status(status),
    }
}

fn is_plain(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|value| value.as_bytes().starts_with(b"text/plain"))
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    // The panic hook has logged message and place.
    Problem::from_status(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

/// Clients can invent methods; a metric must not grow with them, nor the names of spans.
pub(super) fn known(method: &Method) -> String {
    const KNOWN: [Method; 7] =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    if KNOWN.contains(method) { method.to_string() } else { "_OTHER".to_owned() }
}

/// Counts a request as long as it lives; a client that hangs up drops it.
struct Active<'a>(&'a UpDownCounter<i64>);

impl<'a> Active<'a> {
    fn new(counter: &'a UpDownCounter<i64>) -> Self {
        counter.add(1, &[]);
        Self(counter)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.add(-1, &[]);
    }
}
