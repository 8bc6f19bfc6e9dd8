use std::time::Duration;

use service_kit::http::Limits;
use tokio::net::TcpStream;

use super::Running;
use crate::client::{DEADLINE, RawClient, get};

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_server_ends() {
    let server = Running::started().await;
    let mut client = RawClient::connected(server.address).await;
    client.send(get("/wait")).await;
    server.doors.arrived().await;
    server.shutdown.cancel();
    refused(&server).await;
    assert!(!server.task.is_finished());
    server.doors.go_on.notify_waiters();
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
    server.ended().await;
}

#[tokio::test]
async fn a_request_that_still_waits_when_the_time_is_over_is_told_to_come_again() {
    let server = Running::draining(Limits::default(), Duration::from_millis(200)).await;
    let mut client = RawClient::connected(server.address).await;
    client.send(get("/wait")).await;
    server.doors.arrived().await;
    server.shutdown.cancel();
    let answer = client.answer().await;
    assert_eq!((answer.problem()["status"].as_u64(), answer.header("retry-after")), (Some(503), Some("1")));
    server.ended().await;
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_does_not_hold_up_the_end() {
    let server = Running::draining(Limits::default(), Duration::from_millis(200)).await;
    let mut client = RawClient::connected(server.address).await;
    client.send(get("/trace")).await;
    client.answer().await;
    client.send("POST /readings HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n{").await;
    server.stopped().await;
}

#[tokio::test]
async fn connections_that_are_idle_are_closed_at_once() {
    let server = Running::draining(Limits::default(), DEADLINE).await;
    let mut client = RawClient::connected(server.address).await;
    client.send(get("/trace")).await;
    client.answer().await;
    server.shutdown.cancel();
    assert!(client.rest().await.is_empty());
    server.ended().await;
}

/// Waits until the server accepts no more.
async fn refused(server: &Running) {
    let closed = async { while TcpStream::connect(server.address).await.is_ok() {} };
    tokio::time::timeout(DEADLINE, closed).await.expect("the listener is closed in time");
}
