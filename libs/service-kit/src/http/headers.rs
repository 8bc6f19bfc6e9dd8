use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::Problem;
use super::call::header;

/// Whether the client states the preference `token`, such as `respond-async` (RFC 7240).
pub fn prefers(headers: &HeaderMap, token: &str) -> bool {
    let lines = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = lines.flat_map(|line| line.split(','));
    preferences.any(|preference| {
        let name = preference.split([';', '=']).next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case(token)
    })
}

/// The key under which the client will repeat this request, if it gives one: the `Idempotency-Key` header, quoted as the
/// draft of the IETF has it or bare as most clients send it, 1 to 255 visible characters. One that is given more than once,
/// empty, too long or has other characters is refused with 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl IdempotencyKey {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all("idempotency-key").iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(value), None) => value.to_str().unwrap_or_default(),
            (Some(_), Some(_)) => {
                return Err(Problem::bad_request("`Idempotency-Key` must not be given more than once."));
            }
        };
        let key = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(Some(key.to_owned())))
        } else {
            Err(Problem::bad_request("`Idempotency-Key` must be 1 to 255 visible ASCII characters."))
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::of(&parts.headers)
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![header("Idempotency-Key", "Gives an id to what the body gives none; the same key gives the same id")]
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::try_from(*value).unwrap());
        }
        headers
    }

    #[test]
    fn a_preference_is_found_among_others() {
        for values in [&["respond-async"][..], &["wait=10, Respond-Async"], &["a", "respond-async; x=1"]] {
            assert!(prefers(&headers("prefer", values), "respond-async"), "{values:?}");
        }
        for values in [&[][..], &["respond-async-not"], &["x=respond-async"]] {
            assert!(!prefers(&headers("prefer", values), "respond-async"), "{values:?}");
        }
    }

    #[test]
    fn an_idempotency_key_is_taken_with_and_without_quotes() {
        let key = |values| {
            let key = IdempotencyKey::of(&headers("idempotency-key", values));
            key.map(|IdempotencyKey(key)| key).map_err(|problem| problem.status())
        };
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&["abc-1"]), Ok(Some("abc-1".to_owned())));
        assert_eq!(key(&["\"abc-1\""]), Ok(Some("abc-1".to_owned())));
        let long = "a".repeat(256);
        for refused in [&[""][..], &["\"\""], &["a b"], &["é"], &["a", "a"], &[&long]] {
            assert_eq!(key(refused), Err(axum::http::StatusCode::BAD_REQUEST), "{refused:?}");
        }
    }
}
