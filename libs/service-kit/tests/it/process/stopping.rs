use nix::sys::signal::Signal;

use super::Running;
use crate::client::{RawClient, get};

#[tokio::test]
async fn a_signal_ends_the_process_in_good_order() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut service = Running::started("greeter", &[]);
        service.ready().await;
        service.signal(signal);
        service.logged("stopped").await;
        assert_eq!(service.ended().await, Some(0), "{signal}");
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_process_ends() {
    let mut service = Running::started("greeter", &[]);
    let mut client = RawClient::connected(service.ready().await).await;
    client.send(get("/v1/greetings/you?after=500")).await;
    service.logged("asked for a greeting").await;
    service.signal(Signal::SIGTERM);
    assert_eq!(client.answer().await.status(), 200);
    assert_eq!(service.ended().await, Some(0));
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_told_so_within_the_deadline() {
    let mut service = Running::started("greeter", &["--drain-deadline-ms=2000"]);
    let mut client = RawClient::connected(service.ready().await).await;
    client.send(get("/v1/greetings/you?after=60000")).await;
    service.logged("asked for a greeting").await;
    service.signal(Signal::SIGTERM);
    assert_eq!(client.answer().await.problem()["status"], 503);
    assert_eq!(service.ended().await, Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let mut service = Running::started("greeter", &["--drain-deadline-ms=600000"]);
    let mut client = RawClient::connected(service.ready().await).await;
    client.send(get("/v1/greetings/you?after=60000")).await;
    service.logged("asked for a greeting").await;
    service.signal(Signal::SIGTERM);
    service.logged("stopping").await;
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await, Some(128 + 15));
}

#[tokio::test]
async fn a_task_that_fails_takes_the_process_with_it() {
    let mut service = Running::started("countdown", &["--from=1"]);
    let line = service.logged("stopping: the countdown failed").await;
    assert_eq!((line["level"].as_str(), service.ended().await), (Some("ERROR"), Some(1)));
}

#[tokio::test]
async fn a_task_is_told_when_the_process_stops() {
    let mut service = Running::started("countdown", &["--from=1000"]);
    service.logged("counting").await;
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await, Some(0));
}
