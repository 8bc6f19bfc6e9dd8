use std::time::Duration;

use service_kit::http::Limits;

use super::Running;
use crate::client::{RawClient, ask, get, post};

#[tokio::test]
async fn a_body_of_10_mb_is_refused_and_its_client_gets_to_read_why() {
    let server = Running::started().await;
    let answer = ask(server.address, post("/readings", &"x".repeat(10 * 1024 * 1024))).await;
    assert_eq!(answer.status(), 413);
    answer.problem();
    server.stopped().await;
}

#[tokio::test]
async fn a_body_of_10_mb_in_chunks_is_refused_too() {
    let server = Running::started().await;
    let mut request = b"POST /readings HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..10 * 1024 {
        request.extend_from_slice(b"400\r\n");
        request.extend_from_slice(&[b'x'; 1024]);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(ask(server.address, request).await.problem()["status"], 413);
    server.stopped().await;
}

#[tokio::test]
async fn a_client_that_asks_first_need_not_send_a_body_that_is_too_large() {
    let server = Running::started().await;
    let head = "POST /readings HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 10485760\r\n\r\n";
    assert_eq!(ask(server.address, head).await.problem()["status"], 413);
    server.stopped().await;
}

#[tokio::test]
async fn the_largest_body_and_head_that_fit_are_taken() {
    let limits = Limits { body_bytes: 1000, head_bytes: 2000, ..Limits::default() };
    let server = Running::limited(limits).await;
    let body = |length: usize| format!(r#"{{"celsius":1,"sensor":"{}"}}"#, "x".repeat(length - 25));
    assert_eq!((body(1000).len(), body(1001).len()), (1000, 1001));
    assert_eq!(ask(server.address, post("/readings", &body(1000))).await.status(), 200);
    assert_eq!(ask(server.address, post("/readings", &body(1001))).await.status(), 413);
    let path = |length: usize| format!("/readings/{}", "x".repeat(length - 10));
    assert_eq!(ask(server.address, get(&path(2000))).await.status(), 200);
    assert_eq!(ask(server.address, get(&path(2001))).await.problem()["status"], 414);
    let head = |length: usize| format!("GET /trace HTTP/1.1\r\nhost: test\r\nx: {}\r\n\r\n", "x".repeat(length - 9));
    assert_eq!(ask(server.address, head(2000)).await.status(), 200);
    assert_eq!(ask(server.address, head(2001)).await.problem()["status"], 431);
    server.stopped().await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused_before_it_fills_the_memory() {
    let server = Running::started().await;
    let mut client = RawClient::connected(server.address).await;
    client.send(format!("GET / HTTP/1.1\r\nhost: test\r\nx: {}", "x".repeat(40_000))).await;
    assert_eq!(client.answer().await.status(), 431);
    client.rest().await;
    server.stopped().await;
}

#[tokio::test]
async fn clients_that_say_nothing_or_never_finish_their_head_are_cut_off() {
    let limits = Limits { head_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Running::limited(limits).await;
    // The last two look like the beginning of HTTP/2.
    for beginning in ["", "G", "GET /trace HTTP/1.1\r\nhost: te", "PRI * HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut client = RawClient::connected(server.address).await;
        client.send(beginning).await;
        client.rest().await;
    }
    assert_eq!(ask(server.address, get("/trace")).await.status(), 200);
    server.stopped().await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_refused() {
    let limits = Limits { body_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Running::limited(limits).await;
    let mut client = RawClient::connected(server.address).await;
    client.send("POST /readings HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n{").await;
    assert_eq!(client.answer().await.problem()["status"], 408);
    client.rest().await;
    server.stopped().await;
}

#[tokio::test]
async fn a_handler_that_does_not_answer_in_time_is_given_up() {
    let limits = Limits { request_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Running::limited(limits).await;
    assert_eq!(ask(server.address, get("/wait")).await.problem()["status"], 503);
    server.doors.left().await;
    server.stopped().await;
}
