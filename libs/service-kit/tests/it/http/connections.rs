use service_kit::http::{Limits, ListenError, Server};
use tokio::task::JoinSet;

use super::Running;
use crate::client::{RawClient, ask, get};

#[tokio::test]
async fn several_requests_go_over_one_connection() {
    let server = Running::started().await;
    let mut client = RawClient::connected(server.address).await;
    for _ in 0..3 {
        client.send(get("/trace")).await;
        assert_eq!(client.answer().await.status(), 200);
    }
    server.stopped().await;
}

#[tokio::test]
async fn http_2_is_spoken_to_those_who_begin_with_it() {
    let server = Running::started().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let answer = client.get(format!("http://{}/nowhere", server.address)).send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 404));
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    server.stopped().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_no_handler_behind() {
    let server = Running::started().await;
    let mut client = RawClient::connected(server.address).await;
    client.send(get("/wait")).await;
    server.doors.arrived().await;
    drop(client);
    server.doors.left().await;
    server.stopped().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let server = Running::limited(Limits { connections: 2, ..Limits::default() }).await;
    let clients: JoinSet<_> = (0..40).map(|_| ask(server.address, get("/crowd"))).collect();
    let crowds = clients.join_all().await;
    let largest = crowds.iter().map(|answer| str::from_utf8(answer.body()).unwrap().parse::<usize>().unwrap()).max();
    assert_eq!(largest, Some(2));
    server.stopped().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_reported_with_what_to_do() {
    let server = Running::started().await;
    let refusal = Server::bind(server.address, Limits::default()).await.unwrap_err();
    assert!(matches!(refusal, ListenError::Taken(_)));
    assert!(refusal.to_string().contains("choose another"), "{refusal}");
    server.stopped().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_cut_off() {
    let server = Running::started().await;
    let mut client = RawClient::connected(server.address).await;
    client.send("\u{0}\u{1}\u{2}\r\n\r\n").await;
    assert_eq!(client.answer().await.status(), 400);
    client.rest().await;
    assert_eq!(ask(server.address, get("/trace")).await.status(), 200);
    server.stopped().await;
}
