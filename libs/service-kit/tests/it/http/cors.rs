//! Calls from pages that come from elsewhere, as a browser makes them.

use service_kit::http::Limits;

use super::Running;
use crate::client::{Answer, ask, get, post};

const PAGE: &str = "http://127.0.0.1:8780";

async fn open_to(origins: &str) -> Running {
    Running::limited(Limits { cors_origins: origins.parse().unwrap(), ..Limits::default() }).await
}

/// The request with one more header.
fn with(request: &str, name: &str, value: &str) -> String {
    request.replacen("\r\n\r\n", &format!("\r\n{name}: {value}\r\n\r\n"), 1)
}

fn preflight(path: &str, origin: &str, method: &str, headers: &str) -> String {
    let request = get(path).replace("GET", "OPTIONS");
    let request = with(&with(&request, "origin", origin), "access-control-request-method", method);
    with(&request, "access-control-request-headers", headers)
}

/// Whether a browser lets the page read the answer.
fn is_readable(answer: &Answer) -> bool {
    answer.header("access-control-allow-origin") == Some(PAGE)
}

fn lists(answer: &Answer, header: &str, wanted: &[&str]) -> bool {
    let listed: Vec<_> = answer.header(header).unwrap_or_default().split(',').map(str::to_ascii_lowercase).collect();
    wanted.iter().all(|wanted| listed.iter().any(|listed| listed.trim() == *wanted))
}

#[tokio::test]
async fn a_page_that_is_named_may_send_and_read_what_the_services_use() {
    let server = open_to(&format!("https://elsewhere.example,{PAGE}")).await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let asked = "content-type,idempotency-key,if-match,if-none-match,prefer,traceparent";
        let allowed = ask(server.address, preflight("/readings", PAGE, method, asked)).await;
        assert!(allowed.status() == 200 && is_readable(&allowed), "{allowed:?}");
        assert!(lists(&allowed, "access-control-allow-methods", &[&method.to_ascii_lowercase()]), "{allowed:?}");
        assert!(lists(&allowed, "access-control-allow-headers", &asked.split(',').collect::<Vec<_>>()), "{allowed:?}");
    }
    let reading = with(&post("/readings", r#"{"sensor": "roof", "celsius": 20}"#), "origin", PAGE);
    let answer = ask(server.address, reading).await;
    assert!(answer.status() == 200 && is_readable(&answer), "{answer:?}");
    let exposed = ["location", "etag", "traceresponse", "retry-after"];
    assert!(lists(&answer, "access-control-expose-headers", &exposed), "{answer:?}");
    assert!(lists(&answer, "vary", &["origin"]), "what is cached for one page is not for another: {answer:?}");
    server.stopped().await;
}

#[tokio::test]
async fn a_page_may_read_why_it_is_refused_whoever_refuses_it() {
    let limits = Limits { cors_origins: PAGE.parse().unwrap(), body_bytes: 10, ..Limits::default() };
    let server = Running::limited(limits).await;
    let asked = [
        (404, get("/nowhere")),
        (405, get("/readings")),
        (400, post("/readings", "{")),
        (413, post("/readings", &" ".repeat(100))),
        (500, get("/panic")),
    ];
    for (status, request) in asked {
        let answer = ask(server.address, with(&request, "origin", PAGE)).await;
        assert_eq!(answer.problem()["status"], status);
        assert!(is_readable(&answer), "{answer:?}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn nobody_else_is_told_that_they_may() {
    let server = open_to(PAGE).await;
    for origin in ["http://127.0.0.1:8781", "https://127.0.0.1:8780", "null", "http://127.0.0.1:8780.example"] {
        for request in [with(&get("/trace"), "origin", origin), preflight("/readings", origin, "POST", "content-type")]
        {
            let answer = ask(server.address, request).await;
            assert_eq!(answer.header("access-control-allow-origin"), None, "{answer:?}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn without_origins_there_is_no_word_of_them() {
    let server = open_to("").await;
    let answer = ask(server.address, with(&get("/trace"), "origin", PAGE)).await;
    assert_eq!((answer.status(), answer.header("access-control-allow-origin")), (200, None));
    assert_eq!(ask(server.address, preflight("/readings", PAGE, "POST", "content-type")).await.status(), 405);
    server.stopped().await;
}
