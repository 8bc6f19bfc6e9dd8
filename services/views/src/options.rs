use std::collections::BTreeSet;
use std::time::Duration;

use service_kit::milliseconds;

/// Projects orders and all that happens to them into tables, answers questions about them, and shows them on a live page
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where the tables are
    #[arg(long, env = "DATABASE_URL", default_value = "postgres://postgres@127.0.0.1:5432/views", value_name = "URL")]
    pub database_url: String,

    /// The checks whose verdicts are shown, separated by commas; each writes `order-validations-<check>`
    #[arg(long, env = "CHECKS", value_delimiter = ',', value_parser = check, value_name = "CHECK,…")]
    #[arg(default_value = "order-details,fraud,inventory")]
    checks: Vec<String>,

    /// Where the page reaches orders, separated by commas
    #[arg(long, env = "ORDERS_URLS", default_value = "", value_parser = urls, value_name = "URL,…")]
    pub orders_urls: Urls,

    /// Where the page reaches payments, separated by commas
    #[arg(long, env = "PAYMENTS_URLS", default_value = "", value_parser = urls, value_name = "URL,…")]
    pub payments_urls: Urls,

    /// Where the page reaches customers, separated by commas
    #[arg(long, env = "CUSTOMERS_URLS", default_value = "", value_parser = urls, value_name = "URL,…")]
    pub customers_urls: Urls,

    /// Milliseconds between two looks how far every group is, for the metrics
    #[arg(long = "lag-interval-ms", env = "LAG_INTERVAL_MS", default_value = "15000", value_name = "MS")]
    #[arg(value_parser = milliseconds)]
    pub lag_interval: Duration,
}

/// Base addresses of the instances of a service, without a slash at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Urls(pub Vec<String>);

impl Options {
    /// The checks whose verdicts are shown, each once.
    pub fn checks(&self) -> BTreeSet<String> {
        self.checks.iter().cloned().collect()
    }
}

/// Reads the name of a check, which is part of the name of a topic.
fn check(name: &str) -> Result<String, String> {
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.bytes().all(is_legal) {
        Ok(name.to_string())
    } else {
        Err("the name of a check is made of a–z 0–9 -".to_string())
    }
}

/// Reads addresses that are told to browsers, also in a header.
fn urls(text: &str) -> Result<Urls, String> {
    let url = |url: &str| {
        let url = url.trim().trim_end_matches('/');
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or_default();
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b".:-_[]".contains(&byte);
        if !host.is_empty() && host.bytes().all(is_legal) {
            Ok(url.to_string())
        } else {
            Err(format!("http:// or https://, a host and perhaps a port are wanted, not `{url}`"))
        }
    };
    let given = text.split(',').filter(|url| !url.trim().is_empty());
    given.map(url).collect::<Result<_, _>>().map(Urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_without_what_a_header_could_be_broken_with() {
        let read = |text: &str| urls(text).map(|Urls(urls)| urls.join(" "));
        assert_eq!(
            read("http://127.0.0.1:8080/, https://shop.example"),
            Ok("http://127.0.0.1:8080 https://shop.example".into())
        );
        assert_eq!(read(""), Ok(String::new()));
        for wrong in ["127.0.0.1:8080", "http://", "http://a/b", "http://a;script-src *", "ftp://a", "http://a\nb"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
