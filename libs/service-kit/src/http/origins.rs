use std::str::FromStr;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method, Uri};
use tower_http::cors::CorsLayer;

use super::TRACERESPONSE;

/// Whose pages may call from a browser (the CORS protocol of the Fetch Standard): a list of origins, separated by commas. To
/// those, preflights are answered, and every answer says that it may be read, also an error. Cookies are not allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<HeaderValue>);

/// How long a browser may remember the answer to a preflight.
const REMEMBERED_FOR: Duration = Duration::from_secs(3600);

impl Origins {
    /// None, if there is nobody to be allowed anything.
    pub(super) fn layer(&self) -> Option<CorsLayer> {
        use Method as M;

        let asked = ["idempotency-key", "prefer", "traceparent"].map(HeaderName::from_static);
        let asked = asked.into_iter().chain([CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH]);
        let layer = CorsLayer::new()
            .allow_origin(self.0.clone())
            .allow_methods([M::GET, M::HEAD, M::POST, M::PUT, M::PATCH, M::DELETE])
            .allow_headers(asked.collect::<Vec<_>>())
            .expose_headers([LOCATION, ETAG, TRACERESPONSE, RETRY_AFTER])
            .max_age(REMEMBERED_FOR);
        Some(layer).filter(|_| !self.0.is_empty())
    }
}

impl FromStr for Origins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let origins = text.split(',').filter(|origin| !origin.is_empty());
        let read = |text: &str| origin(text).ok_or_else(|| refused(text));
        origins.map(read).collect::<Result<_, _>>().map(Self)
    }
}

fn refused(text: &str) -> String {
    format!("`{text}` is no origin as browsers send it, such as https://example.com or http://127.0.0.1:8080")
}

/// An origin as browsers write it; any other way of writing it would silently match nothing.
fn origin(text: &str) -> Option<HeaderValue> {
    let url: Uri = text.parse().ok()?;
    let (scheme, host) = (url.scheme_str()?, url.host()?);
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let written = match url.port_u16() {
        None => format!("{scheme}://{host}"),
        Some(port) if port == default_port => return None,
        Some(port) => format!("{scheme}://{host}:{port}"),
    };
    let is_as_written = text == written.to_ascii_lowercase() && !host.is_empty() && !host.contains('*');
    HeaderValue::from_str(text).ok().filter(|_| is_as_written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_as_browsers_write_them() {
        for text in ["https://example.com", "http://127.0.0.1:8780", "http://[::1]:8780", "http://localhost:443"] {
            assert_eq!(text.parse(), Ok(Origins(vec![HeaderValue::from_str(text).unwrap()])));
        }
        assert_eq!("http://a:1,https://b".parse::<Origins>().unwrap().0, ["http://a:1", "https://b"]);
        assert_eq!("".parse(), Ok(Origins::default()));
    }

    #[test]
    fn what_no_browser_would_ever_send_is_refused_with_its_text() {
        for text in [
            "*",
            "null",
            "example.com",
            "ftp://example.com",
            "http://example.com/",
            "http://example.com/page",
            "http://example.com?a",
            "http://me@example.com",
            "http://example.com:80",
            "https://example.com:443",
            "http://example.com:",
            "http://example.com:070",
            "http://Example.com",
            "HTTP://example.com",
            "http://*.example.com",
            "http://",
            " http://example.com",
            "http://a b",
        ] {
            let refused = format!("http://fine.example,{text}").parse::<Origins>();
            assert!(refused.as_ref().is_err_and(|why| why.contains(&format!("`{text}`"))), "{text}: {refused:?}");
        }
    }

    #[test]
    fn nobody_is_allowed_anything_unless_somebody_is_named() {
        assert!(Origins::default().layer().is_none());
        assert!("http://a:1".parse::<Origins>().unwrap().layer().is_some());
    }
}
