use super::Running;
use crate::client::{ask, get, post};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn an_unknown_path_is_answered_with_a_problem_document() {
    let server = Running::started().await;
    let answer = ask(server.address, get("/nowhere")).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.problem()["type"], "about:blank");
    server.stopped().await;
}

#[tokio::test]
async fn a_wrong_method_is_told_which_are_allowed() {
    let server = Running::started().await;
    let answer = ask(server.address, get("/readings")).await;
    assert_eq!((answer.status(), answer.header("allow")), (405, Some("POST")));
    answer.problem();
    server.stopped().await;
}

#[tokio::test]
async fn a_path_that_is_no_text_is_a_bad_request() {
    let server = Running::started().await;
    let answer = ask(server.address, get("/readings/%FF")).await;
    assert_eq!(answer.status(), 400);
    answer.problem();
    server.stopped().await;
}

#[tokio::test]
async fn a_trace_is_continued_on_the_answer_and_for_the_handler() {
    let server = Running::started().await;
    let traced =
        |path: &str| format!("GET {path} HTTP/1.1\r\nhost: test\r\ntraceparent: {PARENT}\r\ntracestate: a=1\r\n\r\n");
    let answer = ask(server.address, traced("/trace")).await;
    let [parent, state] = serde_json::from_slice::<[String; 2]>(answer.body()).unwrap();
    assert_eq!(answer.header("traceresponse"), Some(parent.as_str()));
    assert!(parent.contains(TRACE_ID) && parent != PARENT);
    assert_eq!(state, "a=1");
    assert_eq!(ask(server.address, traced("/nowhere")).await.problem()["traceId"], TRACE_ID);
    server.stopped().await;
}

#[tokio::test]
async fn a_request_without_a_trace_begins_one() {
    let server = Running::started().await;
    let first = ask(server.address, get("/nowhere")).await.problem();
    let second = ask(server.address, get("/nowhere")).await.problem();
    assert_ne!(first["traceId"], second["traceId"]);
    server.stopped().await;
}

#[tokio::test]
async fn a_panic_is_answered_without_its_reason_and_the_server_goes_on() {
    let server = Running::started().await;
    let answer = ask(server.address, get("/panic")).await;
    assert_eq!(answer.status(), 500);
    assert!(!answer.problem().to_string().contains("1234"));
    assert_eq!(ask(server.address, get("/readings/1")).await.status(), 200);
    server.stopped().await;
}

#[tokio::test]
async fn a_body_is_refused_with_the_status_that_fits() {
    let server = Running::started().await;
    let good = r#"{"sensor":"roof","celsius":21}"#;
    assert_eq!(ask(server.address, post("/readings", good)).await.status(), 200);
    let refused = [("{", 400), ("", 400), (r#"{"sensor":"roof","sensor":"roof","celsius":21}"#, 400), ("[]", 422)];
    for (body, status) in refused {
        let answer = ask(server.address, post("/readings", body)).await;
        assert_eq!(answer.status(), status, "{body}");
        answer.problem();
    }
    let answer = ask(server.address, post("/readings", r#"{"sensor":1,"celsius":2147483648,"colour":"red"}"#)).await;
    assert_eq!(answer.status(), 422);
    let problem = answer.problem();
    let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["#/sensor", "#/celsius", "#/colour"]);
    server.stopped().await;
}

#[tokio::test]
async fn another_media_type_is_told_which_is_taken() {
    let server = Running::started().await;
    let answer = ask(server.address, post("/readings", "{}").replace("application/json", "text/plain")).await;
    assert_eq!((answer.status(), answer.header("accept")), (415, Some("application/json")));
    answer.problem();
    server.stopped().await;
}

#[tokio::test]
async fn a_query_parameter_that_is_no_number_is_a_bad_request_that_names_it() {
    let server = Running::started().await;
    assert_eq!(ask(server.address, get("/patience?timeout=500")).await.status(), 200);
    let answer = ask(server.address, get("/patience?timeout=abc")).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.problem()["errors"][0]["parameter"], "timeout");
    server.stopped().await;
}
