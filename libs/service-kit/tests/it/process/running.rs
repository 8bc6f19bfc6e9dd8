use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Running, output};
use crate::client::{ask, get};

#[tokio::test]
async fn the_log_names_the_trace_of_a_request() {
    let mut service = Running::started("greeter", &["--greeting=Good morning"]);
    let address = service.ready().await;
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = get("/v1/greetings/you")
        .replace("\r\n\r\n", &format!("\r\ntraceparent: 00-{trace_id}-00f067aa0ba902b7-01\r\n\r\n"));
    let greeting: Value = serde_json::from_slice(ask(address, request).await.body()).unwrap();
    assert_eq!(greeting["text"], "Good morning, you");
    let line = service.logged("asked for a greeting").await;
    assert_eq!((&line["span"]["trace_id"], &line["name"]), (&Value::from(trace_id), &Value::from("you")));
}

#[tokio::test]
async fn probes_and_metrics_are_on_a_port_of_their_own() {
    let mut service = Running::started("greeter", &[]);
    let admin = service.admin().await;
    let front = service.ready().await;
    assert_eq!(ask(admin, get("/livez")).await.status(), 200);
    assert_eq!(ask(admin, get("/readyz")).await.status(), 200);
    assert_eq!(ask(front, get("/v1/greetings/you")).await.status(), 200);
    assert_eq!(ask(front, get("/livez")).await.status(), 404);
    let metrics = ask(admin, get("/metrics")).await;
    let text = String::from_utf8(metrics.body().to_vec()).unwrap();
    let counted = text.lines().find(|line| {
        line.starts_with("http_server_request_duration_seconds_count") && line.contains("/v1/greetings/{name}")
    });
    assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{text}");
    assert!(text.contains(r#"service_name="greeter""#), "{text}");
}

#[tokio::test]
async fn the_service_documents_itself_without_any_other_address() {
    let mut service = Running::started("greeter", &[]);
    let front = service.ready().await;
    let api: Value = serde_json::from_slice(ask(front, get("/openapi.json")).await.body()).unwrap();
    assert_eq!(api["info"]["title"], "greeter");
    assert!(api["paths"]["/v1/greetings/{name}"]["get"].is_object());
    assert!(api["components"]["schemas"]["Problem"]["properties"]["traceId"].is_object());
    for part in ["/docs/", "/docs/swagger-initializer.js"] {
        let page = ask(front, get(part)).await;
        assert_eq!(page.status(), 200);
        let text = String::from_utf8(page.body().to_vec()).unwrap();
        assert!(
            !text.contains("//validator.") && !text.contains("src=\"http") && !text.contains("href=\"http"),
            "{text}"
        );
    }
    let initializer = ask(front, get("/docs/swagger-initializer.js")).await;
    assert!(String::from_utf8(initializer.body().to_vec()).unwrap().contains(r#""validatorUrl": "none""#));
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await, Some(0));
}

#[tokio::test]
async fn a_health_check_tells_by_its_exit_code_whether_the_service_is_ready() {
    let mut service = Running::started("greeter", &[]);
    let admin = format!("--admin-listen={}", service.admin().await);
    service.ready().await;
    let healthy = output("greeter", &[&admin, "health"]).await;
    assert_eq!((healthy.status.code(), healthy.stderr), (Some(0), Vec::new()));

    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await, Some(0));
    let gone = output("greeter", &[&admin, "health"]).await;
    let text = String::from_utf8(gone.stderr).unwrap();
    assert!(text.starts_with("error: http://127.0.0.1:") && text.contains("does not answer"), "{text}");
    assert_eq!(gone.status.code(), Some(1));
}
