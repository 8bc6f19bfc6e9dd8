//! What an instance says to the others of its service.

use nix::sys::signal::Signal;
use serde_json::Value;
use test_kit::{eventually, unique};

use super::output;
use super::waiting::{create, register, started};
use crate::client::{Answer, DEADLINE, RawClient, ask, get, post};

#[tokio::test]
async fn an_instance_tells_the_others_what_it_serves() {
    register().await;
    let prefix = format!("{}-", unique("heat"));
    let mut service = started(&prefix, &[]);
    let admin = service.admin().await;
    assert_eq!(ask(admin, get("/stores/highest?key=roof")).await.problem()["status"], 503);
    assert_eq!(ask(admin, post("/leave", "")).await.problem()["status"], 503);
    create(&prefix, |topic| topic).await;
    let front = service.ready().await;
    let reading = |celsius| post("/v1/readings", &format!(r#"{{"sensor":"roof","celsius":{celsius}}}"#));

    ask(front, reading(20)).await;
    let first = ask(admin, get("/stores/highest?key=roof&timeout=20000")).await;
    assert_eq!(first.status(), 200);
    let known = |timeout: &str| {
        let request = get(&format!("/stores/highest?key=roof&timeout={timeout}"));
        request.replace("\r\n\r\n", &format!("\r\nif-none-match: {}\r\n\r\n", first.header("etag").unwrap()))
    };
    assert_eq!(ask(admin, known("0")).await.status(), 304);
    assert_eq!(ask(admin, known("100")).await.status(), 304);
    let mut waiter = RawClient::connected(admin).await;
    waiter.send(known("20000")).await;
    waiters_are(admin, 1).await;
    ask(front, reading(30)).await;
    let second: Answer = waiter.answer().await;
    assert_eq!(second.status(), 200);
    assert_ne!((second.header("etag"), second.body()), (first.header("etag"), first.body()));

    assert_eq!(ask(admin, get("/stores/highest?key=cellar")).await.status(), 204);
    assert_eq!(ask(admin, get("/stores/lowest?key=roof")).await.problem()["status"], 404);
    assert_eq!(ask(admin, get("/stores/highest?key=roof&key=cellar")).await.problem()["status"], 400);
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await, Some(0));
}

#[tokio::test]
async fn an_instance_that_has_left_lives_on_and_says_that_it_is_not_ready() {
    register().await;
    let prefix = format!("{}-", unique("heat"));
    create(&prefix, |topic| topic).await;
    let mut service = started(&prefix, &["--stream-threads=2"]);
    let admin = service.admin().await;
    let front = service.ready().await;
    let left = output("heat", &[&format!("--admin-listen={admin}"), "leave"]).await;
    assert_eq!((left.status.code(), left.stderr), (Some(0), Vec::new()));
    assert_eq!(ask(admin, post("/leave", "")).await.status(), 200);
    let ready: Value = serde_json::from_slice(ask(admin, get("/readyz")).await.body()).unwrap();
    assert_eq!(ready["awaiting"]["streams"], "the instance has left its group");
    // Nobody else is there to serve it.
    assert_eq!(ask(admin, get("/stores/highest?key=roof")).await.problem()["status"], 503);
    assert_eq!(ask(front, get("/v1/sensors/roof/highest?timeout=100")).await.problem()["status"], 504);
    assert_eq!(ask(front, post("/v1/readings", r#"{"sensor":"roof","celsius":1}"#)).await.status(), 202);
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await, Some(0));
}

async fn waiters_are(admin: std::net::SocketAddr, count: usize) {
    let line = format!("streams_waiters{{service=\"heat\"}} {count}");
    eventually(&line, DEADLINE, async || {
        let metrics = ask(admin, get("/metrics")).await;
        str::from_utf8(metrics.body()).unwrap().lines().any(|metric| metric == line).then_some(())
    })
    .await;
}
