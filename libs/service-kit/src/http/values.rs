use std::fmt::Display;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde_json::value::RawValue;
use streams::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::{IntoParams, PartialSchema};

use super::{Problem, text};

/// An id in the path of a request's address, the only parameter there. What no id can be is refused with 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
        checked(id).map(Self).map_err(|detail| Problem::invalid_parameter("id", detail))
    }
}

impl IntoParams for PathId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = ParameterBuilder::new().name("id").parameter_in(ParameterIn::Path).required(Required::True);
        vec![parameter.schema(Some(String::schema())).build()]
    }
}

/// Reads an id that clients may choose: a JSON string of 1 to 64 characters that need no escape in an address (RFC 3986,
/// section 2.3).
///
/// # Errors
/// The value is something else.
pub fn id(json: &str) -> Result<String, String> {
    checked(text(json)?)
}

/// An exact number in a document: a decimal becomes the JSON number it is, where a float would round it.
pub fn exact(decimal: impl Display) -> Option<Box<RawValue>> {
    RawValue::from_string(decimal.to_string()).ok()
}

/// A moment as text, in UTC (RFC 3339). Empty beyond the year 9999, which has no such form.
pub fn rfc3339(timestamp: Timestamp) -> String {
    let nanoseconds = i128::from(timestamp.as_millis()) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

fn checked(id: String) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    // The last two are steps in a path: who asks for them asks for something else.
    if (1..=64).contains(&id.len()) && id.bytes().all(is_allowed) && ![".", ".."].contains(&id.as_str()) {
        Ok(id)
    } else {
        Err("must be 1 to 64 characters of A–Z a–z 0–9 . _ ~ -, and not only . or ..".to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_needs_no_escape() {
        let longest = format!("\"{}\"", "x".repeat(64));
        for json in [r#""a""#, r#""A-Za.z0_9~""#, r#""...""#, &longest] {
            assert_eq!(id(json).map(|id| format!("\"{id}\"")).as_deref(), Ok(json));
        }
        let too_long = format!("\"{}\"", "x".repeat(65));
        for json in [r#""""#, r#"".""#, r#""..""#, r#""a/b""#, r#""ü""#, r#""a b""#, "1", "null", &too_long] {
            assert!(id(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_moment_has_milliseconds_only_where_there_are_some() {
        assert_eq!(rfc3339(Timestamp(1_700_000_000_000)), "2023-11-14T22:13:20Z");
        assert_eq!(rfc3339(Timestamp(1_700_000_000_012)), "2023-11-14T22:13:20.012Z");
        assert_eq!(rfc3339(Timestamp(i64::MAX)), "");
    }

    #[test]
    fn a_decimal_keeps_every_digit() {
        assert_eq!(exact("92233720368547758.07").as_deref().map(RawValue::get), Some("92233720368547758.07"));
    }
}
