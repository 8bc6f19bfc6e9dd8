use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// By when anything that a test waits for has happened, also on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A client that sends exactly the bytes it is told to.
pub(crate) struct RawClient(TcpStream);

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    head: String,
    body: Vec<u8>,
}

impl RawClient {
    pub(crate) async fn connected(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next answer, which must have a `Content-Length`.
    pub(crate) async fn answer(&mut self) -> Answer {
        timeout(DEADLINE, async {
            let mut received = Vec::new();
            let end_of_head = loop {
                let byte = self.0.read_u8().await.expect("an answer before the end of the connection");
                received.push(byte);
                if received.ends_with(b"\r\n\r\n") {
                    break received.len();
                }
            };
            let head = String::from_utf8(received[..end_of_head].to_vec()).unwrap();
            let mut answer = Answer { head, body: Vec::new() };
            answer.body = vec![0; answer.header("content-length").map_or(0, |length| length.parse().unwrap())];
            self.0.read_exact(&mut answer.body).await.unwrap();
            answer
        })
        .await
        .expect("an answer in time")
    }

    /// Reads until what was read ends with this text.
    pub(crate) async fn until(&mut self, end: &str) {
        let read = async {
            let mut received = Vec::new();
            while !received.ends_with(end.as_bytes()) {
                received.push(self.0.read_u8().await.expect("more before the end of the connection"));
            }
        };
        timeout(DEADLINE, read).await.expect("it comes in time");
    }

    /// Everything until the server closes the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A connection that is reset is closed as well.
        let _ = timeout(DEADLINE, self.0.read_to_end(&mut rest)).await.expect("the connection is closed in time");
        rest
    }
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as a problem document, after checking what all of them have in common.
    pub(crate) fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let document: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(document["status"], self.status());
        let trace_id = document["traceId"].as_str().unwrap();
        assert_eq!(self.header("traceresponse").unwrap().split('-').nth(1), Some(trace_id));
        for member in ["type", "title", "detail"] {
            assert!(document[member].as_str().is_some_and(|text| !text.is_empty()), "{document}");
        }
        document
    }
}

/// Sends one request on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut client = RawClient::connected(address).await;
    client.send(request).await;
    client.answer().await
}

/// A request without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")
}

/// A request with a JSON body.
pub(crate) fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
