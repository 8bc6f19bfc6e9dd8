use axum::http::HeaderMap;

use super::Problem;

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
/// draft of the IETF has it or bare as most clients send it, 1 to 255 visible characters.
///
/// # Errors
/// 400 where it is given more than once, empty, too long or has other characters.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().unwrap_or_default(),
        (Some(_), Some(_)) => return Err(Problem::bad_request("`Idempotency-Key` must not be given more than once.")),
    };
    let key = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Some(key.to_owned()))
    } else {
        Err(Problem::bad_request("`Idempotency-Key` must be 1 to 255 visible ASCII characters."))
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
        let key = |values| idempotency_key(&headers("idempotency-key", values)).map_err(|problem| problem.status());
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&["abc-1"]), Ok(Some("abc-1".to_owned())));
        assert_eq!(key(&["\"abc-1\""]), Ok(Some("abc-1".to_owned())));
        let long = "a".repeat(256);
        for refused in [&[""][..], &["\"\""], &["a b"], &["é"], &["a", "a"], &[&long]] {
            assert_eq!(key(refused), Err(axum::http::StatusCode::BAD_REQUEST), "{refused:?}");
        }
    }
}
