//! Answers that go on and on.

use std::time::Duration;

use service_kit::http::Limits;
use tokio::time::timeout;

use super::Running;
use crate::client::{DEADLINE, RawClient, get};

/// A client that has read the head of the answer, and the first event.
async fn listening(server: &Running, path: &str) -> RawClient {
    let mut client = RawClient::connected(server.address).await;
    client.send(get(path)).await;
    assert_eq!(client.answer().await.header("content-type"), Some("text/event-stream"));
    client.until("data: hello\n\n").await;
    client
}

#[tokio::test]
async fn an_event_stream_outlasts_every_limit_on_requests() {
    let short = Duration::from_millis(100);
    let limits = Limits {
        request_timeout: short,
        head_timeout: short,
        body_timeout: short,
        write_timeout: short,
        ..Limits::default()
    };
    let server = Running::limited(limits).await;
    let mut client = listening(&server, "/events").await;
    let silence = timeout(5 * short, client.until("data: more\n\n")).await;
    assert!(silence.is_err(), "nothing has happened, and nobody hangs up");
    server.doors.go_on.notify_waiters();
    client.until("data: more\n\n").await;
    server.stopped().await;
}

#[tokio::test]
async fn event_streams_that_end_when_the_process_stops_hold_up_nothing() {
    let server = Running::draining(Limits::default(), 100 * DEADLINE).await;
    let mut clients = [listening(&server, "/events").await, listening(&server, "/events").await];
    server.stopped().await;
    for client in &mut clients {
        client.until("0\r\n\r\n").await;
        assert!(client.rest().await.is_empty(), "the stream has ended as it should");
    }
}

#[tokio::test]
async fn an_event_stream_that_does_not_end_is_cut_off_when_the_time_is_over() {
    let server = Running::draining(Limits::default(), Duration::from_millis(200)).await;
    let mut client = listening(&server, "/forever").await;
    server.stopped().await;
    assert!(!client.rest().await.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off() {
    let limits = Limits { write_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Running::limited(limits).await;
    let mut client = RawClient::connected(server.address).await;
    client.send(get("/flood")).await;
    server.doors.left().await;
    client.rest().await;
    server.stopped().await;
}
