//! The stack as tests use it: parts that come and go by name, and nothing left behind.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use local::{Error, Stack};

#[test]
fn a_part_is_killed_started_paused_and_resumed_by_name() -> Result<(), Error> {
    let stack = Stack::builder().infrastructure().start()?;
    let kafka = stack.part("kafka");
    let first = kafka.pid().expect("a started part has a process");
    kafka.kill();
    assert_eq!(kafka.pid(), None);
    assert!(!is_alive(first));
    assert!(TcpStream::connect(&stack.addresses().kafka_bootstrap).is_err(), "somebody still listens");

    kafka.start()?;
    assert_ne!(kafka.pid(), Some(first));
    TcpStream::connect(&stack.addresses().kafka_bootstrap).expect("it listens where it did");

    kafka.pause();
    let states = thread_states(kafka.pid().expect("it runs"));
    assert!(states.len() > 1 && states.iter().all(|state| state == "T"), "{states:?}");
    kafka.resume();

    let postgres = stack.part("postgres");
    postgres.pause();
    let refusal = postgres.wait_ready(Duration::from_millis(100)).expect_err("a paused part answers nobody");
    assert!(refusal.to_string().starts_with("postgres was not ready within 0.1 s"), "{refusal}");
    postgres.resume();
    postgres.wait_ready(Duration::from_secs(10))?;
    postgres.restart()
}

#[test]
fn a_schema_keeps_its_id_when_the_registry_is_killed() -> Result<(), Error> {
    let stack = Stack::builder().only(["registry"]).start()?;
    let url = stack.addresses().schema_registry_url;
    let registered = http(&url, "POST", "/subjects/letters-value/versions", r#"{"schema": "\"string\""}"#);
    let id = registered
        .split_once("\"id\":")
        .and_then(|(_, id)| id.split('}').next())
        .unwrap_or_else(|| panic!("{registered}"));

    stack.part("registry").kill();
    stack.part("registry").start()?;

    let found = http(&url, "GET", &format!("/schemas/ids/{id}"), "");
    assert!(found.contains("string"), "{found}");
    Ok(())
}

#[test]
fn nothing_is_left_of_a_stack_that_was_dropped() -> Result<(), Error> {
    let stack = Stack::builder().only(["postgres"]).start()?;
    let (pid, directory) = (stack.part("postgres").pid().expect("it runs"), stack.directory().to_path_buf());
    assert!(is_alive(pid) && directory.exists());

    drop(stack);

    assert!(!is_alive(pid), "process {pid} is left");
    assert!(!directory.exists(), "{} is left", directory.display());
    Ok(())
}

#[test]
fn nothing_is_left_of_a_stack_whose_owner_panicked() -> Result<(), Error> {
    let stack = Stack::builder().only(["postgres"]).start()?;
    let (pid, directory) = (stack.part("postgres").pid().expect("it runs"), stack.directory().to_path_buf());

    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _owned = stack;
        panic!("as tests do");
    }));

    assert!(panicked.is_err());
    assert!(!is_alive(pid), "process {pid} is left");
    assert!(!directory.exists(), "{} is left", directory.display());
    Ok(())
}

#[test]
fn a_part_left_out_can_be_started_later() -> Result<(), Error> {
    let stack = Stack::builder().only(["postgres"]).without("postgres").start()?;
    let postgres = stack.part("postgres");
    assert_eq!(postgres.pid(), None);
    postgres.start()?;
    assert!(postgres.pid().is_some());
    assert!(postgres.start().expect_err("once is enough").to_string().starts_with("postgres is running already"));
    Ok(())
}

#[test]
fn a_port_that_is_taken_is_named_with_the_part_that_wants_it() {
    let somebody = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = somebody.local_addr().expect("it is bound").port();

    let error = Stack::builder().only(["postgres"]).port("postgres", port).start().expect_err("the port is taken");

    let sentence = error.to_string();
    assert!(sentence.starts_with(&format!("port {port} is taken, and postgres needs it")), "{sentence}");
    assert!(sentence.contains("--port postgres="), "{sentence}");
}

#[test]
fn a_part_that_does_not_start_is_named_with_the_end_of_its_log() {
    let broken = Stack::builder().only(["kafka"]).env("kafka", "JDK_JAVA_OPTIONS", "-XX:NoSuchOption");

    let sentence = broken.start().expect_err("Java knows no such option").to_string();

    assert!(sentence.starts_with("kafka ended with exit status: 1 before it was ready"), "{sentence}");
    assert!(sentence.contains("Unrecognized VM option 'NoSuchOption'"), "{sentence}");
}

#[test]
fn a_part_that_is_not_declared_is_answered_with_those_that_are() {
    let sentence = Stack::builder().only(["zookeeper"]).start().expect_err("there is none").to_string();
    assert!(
        sentence.starts_with("there is no part named zookeeper; there are postgres, kafka, registry"),
        "{sentence}"
    );
}

/// The state of each thread of a process, as `/proc` abbreviates it.
fn thread_states(pid: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    stats.filter_map(|stat| Some(stat.rsplit_once(") ")?.1.split(' ').next()?.to_string())).collect()
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// The answer to a request to the registry, head and all.
fn http(base: &str, method: &str, path: &str, body: &str) -> String {
    let (authority, root) = base.trim_start_matches("http://").split_once('/').expect("the base has a path");
    let mut connection = TcpStream::connect(authority).expect("the registry listens");
    write!(
        connection,
        "{method} /{root}{path} HTTP/1.0\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the registry reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("the registry answers");
    answer
}
