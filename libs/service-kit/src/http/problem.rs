use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use streams_kafka::BrowseError;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The media type of a problem document (RFC 9457, section 6.1).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not fulfilled, as RFC 9457 writes it: every error this process answers has this shape.
///
/// ```json
/// {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"1 field is not acceptable.",
///  "traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
///  "errors":[{"pointer":"#/age","detail":"must be an integer between 0 and 150"}]}
/// ```
///
/// A handler returns it as its error; the trace id is added on the way out.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    headers: HeaderMap,
    document: Document,
}

/// The body of every answer with an error status, as `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Document {
    /// What kind of problem this is; `about:blank` when the status says it all.
    #[schema(value_type = String, example = "about:blank")]
    r#type: &'static str,
    /// The kind of problem in words; the same for every occurrence.
    #[schema(example = "Unprocessable Entity")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// What happened this time and what can be done about it.
    detail: Cow<'static, str>,
    /// The W3C trace id of the request, as the logs name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    trace_id: Option<String>,
    /// What is wrong with which part of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<InvalidField>,
    #[serde(flatten)]
    #[schema(ignore)]
    members: BTreeMap<&'static str, Box<RawValue>>,
}

/// One part of a request that is not acceptable, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InvalidField {
    /// Where in the body: a JSON pointer in its URI fragment form (RFC 6901, section 6), such as `#/age`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Which parameter of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// Why, as the rest of a sentence that begins with the name: "must be …".
    pub detail: String,
}

impl Problem {
    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 400: a parameter in the address, path or query, that cannot be understood.
    pub fn invalid_parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut problem = Self::bad_request(format!("The parameter `{name}` {detail}."));
        problem.0.document.errors = vec![InvalidField { pointer: None, parameter: Some(name.to_owned()), detail }];
        problem
    }

    /// 404: there is nothing here, or not yet.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 408: the client took too long to send its request.
    pub fn too_slow(deadline: Duration) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, format!("The body did not arrive within {} ms.", deadline.as_millis()))
    }

    /// 409: the request contradicts what is already there.
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 413: the body is longer than the limit.
    pub fn too_large(limit_bytes: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("The body may have at most {limit_bytes} bytes."))
    }

    /// 415: the body is not what this address takes; `accepted` is the media type that it does take.
    pub fn unsupported_media_type(detail: impl Into<Cow<'static, str>>, accepted: &'static str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).header(ACCEPT, HeaderValue::from_static(accepted))
    }

    /// 422: the request is well formed, but these parts of it are not acceptable.
    pub fn invalid(errors: Vec<InvalidField>) -> Self {
        let detail = match errors.len() {
            1 => "1 field is not acceptable.".to_owned(),
            count => format!("{count} fields are not acceptable."),
        };
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        problem.0.document.errors = errors;
        problem
    }

    /// 500: this process is at fault. The cause goes to the log, under the request's trace id, and nowhere else.
    pub fn internal(cause: impl Display) -> Self {
        tracing::error!(%cause, "a request failed for an internal reason");
        Self::from_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// 503: something that is needed is away for now; `Retry-After` is rounded up to whole seconds.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        let seconds = retry_after.as_millis().div_ceil(1000);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            .header(RETRY_AFTER, HeaderValue::try_from(seconds.to_string()).expect("digits are a header value"))
    }

    /// 504: what was waited for did not come in time.
    pub fn timed_out(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, detail)
    }

    /// Any other error status, with the words that fit it.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            status,
            headers: HeaderMap::new(),
            document: Document {
                r#type: "about:blank",
                // RFC 9457, section 4.2.1: the title of `about:blank` is the phrase of the status.
                title: status.canonical_reason().unwrap_or("Error"),
                status: status.as_u16(),
                detail: detail.into(),
                trace_id: None,
                errors: Vec::new(),
                members: BTreeMap::new(),
            },
        }))
    }

    /// An error status of which nothing more is known.
    pub fn from_status(status: StatusCode) -> Self {
        let detail = match status {
            StatusCode::NOT_FOUND => "There is nothing at this address.",
            StatusCode::METHOD_NOT_ALLOWED => "This address does not answer this method; `Allow` says which it does.",
            StatusCode::URI_TOO_LONG => "The address of the request is too long.",
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "The header fields of the request are too large.",
            StatusCode::INTERNAL_SERVER_ERROR => "The service failed; its log has the reason under this trace id.",
            _ => status.canonical_reason().unwrap_or("The request was not fulfilled."),
        };
        Self::new(status, detail)
    }

    /// Adds a member of the service's own to the document (RFC 9457, section 3.2). The standard names, `traceId` and
    /// `errors` are taken.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        debug_assert!(!["type", "title", "status", "detail", "traceId", "errors"].contains(&name), "`{name}` is taken");
        // As text, so that a decimal stays the number it is. What cannot be written as JSON is left out.
        if let Ok(value) = to_raw_value(&value) {
            self.0.document.members.insert(name, value);
        }
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    pub(crate) fn traced(mut self, trace_id: String) -> Self {
        self.0.document.trace_id = Some(trace_id);
        self
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0.document).expect("strings, numbers and JSON values always serialize")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body()));
        *response.status_mut() = self.0.status;
        response.headers_mut().extend(self.0.headers.clone());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        // The document travels with the response, so that the edge can write the trace id into it.
        response.extensions_mut().insert(self);
        response
    }
}

/// 404 for what is not there; 503 where the broker or the registry does not answer, or too many ask.
impl From<BrowseError> for Problem {
    fn from(error: BrowseError) -> Self {
        let mut detail = error.to_string();
        if let Some(first) = detail.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        detail.push('.');
        match error {
            BrowseError::UnknownTopic(_) | BrowseError::UnknownPartition { .. } | BrowseError::UnknownSchema(_) => {
                Self::not_found(detail)
            }
            _ => Self::unavailable(detail, Duration::from_secs(1)),
        }
    }
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        Document::schema()
    }
}

impl ToSchema for Problem {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Document::schemas(schemas);
    }
}

impl InvalidField {
    /// A member of the JSON object that is the body.
    pub fn of_body(name: &str, detail: impl Into<String>) -> Self {
        // RFC 6901: `~` and `/` are escaped inside a name.
        let pointer = format!("#/{}", name.replace('~', "~0").replace('/', "~1"));
        Self { pointer: Some(pointer), parameter: None, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(problem: &Problem) -> serde_json::Value {
        serde_json::from_slice(&problem.body()).unwrap()
    }

    #[test]
    fn a_problem_says_type_title_status_and_detail() {
        let problem = Problem::conflict("It is different already.");
        assert_eq!(
            document(&problem),
            json!({"type": "about:blank", "title": "Conflict", "status": 409, "detail": "It is different already."})
        );
    }

    #[test]
    fn invalid_fields_are_pointed_at_with_json_pointers() {
        let problem = Problem::invalid(vec![InvalidField::of_body("a/b~c", "must be text")]).traced("abc".into());
        let document = document(&problem);
        assert_eq!(document["errors"], json!([{"pointer": "#/a~1b~0c", "detail": "must be text"}]));
        assert_eq!(document["traceId"], "abc");
    }

    #[test]
    fn members_of_the_service_stand_beside_the_standard_ones() {
        let problem = Problem::unavailable("Repeat it.", Duration::from_millis(1_200)).with("id", "42");
        assert_eq!(document(&problem)["id"], "42");
        let response = problem.into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn what_cannot_be_browsed_is_not_there_or_not_to_be_had() {
        let missing = Problem::from(BrowseError::UnknownTopic("readings".to_owned()));
        assert_eq!(
            (missing.status(), &document(&missing)["detail"]),
            (StatusCode::NOT_FOUND, &json!("There is no topic `readings`."))
        );
        let busy = Problem::from(BrowseError::Busy).into_response();
        assert_eq!(
            (busy.status(), busy.headers()[RETRY_AFTER].as_bytes()),
            (StatusCode::SERVICE_UNAVAILABLE, &b"1"[..])
        );
    }

    #[test]
    fn an_internal_failure_keeps_its_cause_to_itself() {
        let problem = Problem::internal("the password is 1234");
        assert!(!String::from_utf8(problem.body()).unwrap().contains("1234"));
    }
}
