//! What a process tells a collector of its traces.

use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use test_kit::unique;
use tokio::net::TcpListener;

use super::Running;
use super::waiting::{create, register, started};
use crate::client::{Answer, ask, get, post};
use crate::collector::Collector;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traced(request: &str, flags: &str) -> String {
    request.replace("\r\n\r\n", &format!("\r\ntraceparent: 00-{TRACE}-{PARENT}-{flags}\r\n\r\n"))
}

fn greeter(endpoint: &str, arguments: &[&str]) -> Running {
    Running::started("greeter", &[&[&*format!("--otlp-endpoint={endpoint}"), "--instance=3"], arguments].concat())
}

/// Trace id and span id of an answer.
fn place(answer: &Answer) -> (String, String) {
    let parts: Vec<&str> = answer.header("traceresponse").unwrap().split('-').collect();
    (parts[1].to_string(), parts[2].to_string())
}

async fn stop(service: Running) {
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await, Some(0));
}

#[tokio::test]
async fn a_request_is_told_at_the_latest_when_the_process_ends() {
    let collector = Collector::listening().await;
    let mut service = greeter(&collector.endpoint, &[]);
    let answer = ask(service.ready().await, traced(&get("/v1/greetings/you"), "01")).await;
    stop(service).await;

    let told = collector.told();
    let [request] = &told[..] else { panic!("{told:?}") };
    assert_eq!(request.span.name, "GET /v1/greetings/{name}");
    assert_eq!(request.span.kind(), SpanKind::Server);
    assert_eq!((request.trace_id(), request.id()), place(&answer), "the answer names it");
    assert_eq!((request.trace_id().as_str(), request.parent().as_str()), (TRACE, PARENT));
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.route", "/v1/greetings/{name}"),
        ("url.path", "/v1/greetings/you"),
        ("url.scheme", "http"),
    ];
    assert!(request.attributes.iter().map(|(name, value)| (&**name, &**value)).eq(expected), "{request:?}");
    let process = ["service.name", "service.instance.id"].map(|name| request.resource[name].as_str());
    assert_eq!(process, ["greeter", "3"]);
}

#[tokio::test]
async fn a_refusal_names_its_trace_and_is_an_error_only_if_the_service_is_at_fault() {
    let collector = Collector::listening().await;
    let mut service = greeter(&collector.endpoint, &["--http-request-timeout-ms=100"]);
    let front = service.ready().await;
    let refused = ask(front, get("/v1/greetings/you?after=soon")).await;
    let late = ask(front, get("/v1/greetings/you?after=60000")).await;
    stop(service).await;

    let told = collector.told();
    for (answer, status, code) in [(refused, "400", StatusCode::Unset), (late, "503", StatusCode::Error)] {
        let problem = answer.problem();
        let span = told.iter().find(|told| told.trace_id() == problem["traceId"]).unwrap();
        assert_eq!(span.attributes["http.response.status_code"], status);
        assert_eq!(span.span.status.as_ref().map_or(StatusCode::Unset, |status| status.code()), code);
    }
}

#[tokio::test]
async fn what_is_not_sampled_is_not_told() {
    let collector = Collector::listening().await;
    let mut service = greeter(&collector.endpoint, &["--trace-share=0"]);
    let front = service.ready().await;
    let own = ask(front, get("/v1/greetings/you")).await;
    let unsampled = ask(front, traced(&get("/v1/greetings/you"), "00")).await;
    let sampled = ask(front, traced(&get("/v1/greetings/you"), "01")).await;
    stop(service).await;

    for (answer, flags) in [(&own, "-00"), (&unsampled, "-00"), (&sampled, "-01")] {
        assert!(answer.header("traceresponse").unwrap().ends_with(flags), "{answer:?}");
    }
    let told: Vec<_> = collector.told().iter().map(|told| (told.trace_id(), told.id())).collect();
    assert_eq!(told, [place(&sampled)], "the caller decides of its own trace");
}

#[tokio::test]
async fn a_collector_that_is_away_costs_a_line_in_the_log() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut service = greeter(&format!("http://{closed}"), &[]);
    let front = service.ready().await;
    assert_eq!(ask(front, get("/v1/greetings/you")).await.status(), 200);
    let line = service.logged("spans are lost").await;
    assert_eq!((line["level"].as_str(), line["spans"].as_u64()), (Some("WARN"), Some(1)), "{line}");
    assert_eq!(ask(front, get("/v1/greetings/you")).await.status(), 200);
    stop(service).await;
}

#[tokio::test]
async fn a_collector_that_does_not_answer_holds_up_nobody() {
    // It takes connections, as its system does for it, and nothing else.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut service = greeter(&endpoint, &["--drain-deadline-ms=1000"]);
    let front = service.ready().await;
    assert_eq!(ask(front, get("/v1/greetings/you")).await.status(), 200);
    let (_connection, _) = silent.accept().await.unwrap();
    assert_eq!(ask(front, get("/v1/greetings/you")).await.status(), 200);
    stop(service).await;
}

#[tokio::test]
async fn a_command_is_told_from_the_request_to_its_processing() {
    register().await;
    let prefix = format!("{}-", unique("heat"));
    create(&prefix, |topic| topic).await;
    let collector = Collector::listening().await;
    let mut service = started(&prefix, &[&format!("--otlp-endpoint={}", collector.endpoint)]);
    let front = service.ready().await;
    let answer = ask(front, post("/v1/readings", r#"{"sensor":"roof","celsius":20}"#)).await;

    let processed = collector.span(&format!("process {prefix}readings")).await;
    let request = collector.span("POST /v1/readings").await;
    let sent = collector.span(&format!("send {prefix}readings")).await;
    stop(service).await;
    assert_eq!((request.trace_id(), request.id()), place(&answer));
    assert_eq!(request.parent(), "", "nobody else has asked for it");
    assert_eq!([sent.parent(), processed.parent()], [request.id(), sent.id()]);
    assert!([&sent, &processed].iter().all(|told| told.trace_id() == request.trace_id()));
    assert_eq!(processed.attributes["messaging.kafka.message.key"], "roof");
    assert!(
        !collector.told().iter().any(|told| told.attributes.get("url.path").is_some_and(|path| path == "/readyz")),
        "probes are no requests of anybody"
    );
}
