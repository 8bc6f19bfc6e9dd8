use std::net::TcpListener;

use serde_json::Value;

use super::output;

#[tokio::test]
async fn help_documents_the_options_of_the_service_and_of_the_kit() {
    let help = output("greeter", &["--help"]).await;
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(text.starts_with("Greets whoever asks\n"), "{text}");
    for part in ["--greeting", "GREETING", "--listen", "ADMIN_LISTEN", "--http-max-body-bytes", "describe"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    for part in ["--kafka-bootstrap", "--state-dir", "--stream-threads", "--advertised-url"] {
        assert!(!text.contains(part), "the greeter knows no Kafka: {text}");
    }
}

#[tokio::test]
async fn an_option_that_is_wrong_is_named_and_the_exit_code_is_2() {
    let refused = output("greeter", &["--drain-deadline-ms=soon"]).await;
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.contains("'soon' for '--drain-deadline-ms") && text.contains("milliseconds"), "{text}");
    assert_eq!(refused.status.code(), Some(2));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_the_option_and_the_exit_code_is_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let refused = output("greeter", &[&listen, "--admin-listen=127.0.0.1:0"]).await;
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.contains("--listen 127.0.0.1:") && text.contains("is taken"), "{text}");
    assert_eq!(refused.status.code(), Some(1));
}

#[tokio::test]
async fn a_description_needs_no_connection() {
    let described = output("heat", &["describe"]).await;
    let description: Value = serde_json::from_slice(&described.stdout).unwrap();
    assert_eq!(description["service"], "heat");
    assert_eq!(description["reads"][0], "readings");
    let written: Vec<_> = description["writes"].as_array().unwrap().iter().map(|topic| &topic["name"]).collect();
    assert_eq!(written, ["heat-highest-changelog", "heat-dead-letters", "readings"]);
    let options = description["options"].as_array().unwrap();
    for (environment, default) in [("PATIENCE_MS", "10000"), ("STREAM_THREADS", "1")] {
        let is_this = |option: &&Value| option["environment"] == environment;
        assert_eq!(options.iter().find(is_this).unwrap()["default"], default);
    }
    let drawn = output("heat", &["describe", "--drawing"]).await;
    assert!(String::from_utf8(drawn.stdout).unwrap().starts_with("flowchart"));
}
