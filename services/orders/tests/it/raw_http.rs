use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::Context;
use serde_json::Value;

use crate::harness::{DEADLINE, Orders};

/// Sends a request that no client library would, byte by byte, and returns status and body of the answer.
pub fn send(orders: &Orders, head: &[u8], body: &[u8]) -> anyhow::Result<(u16, String)> {
    let mut connection = TcpStream::connect(orders.service.url().trim_start_matches("http://"))?;
    connection.set_read_timeout(Some(DEADLINE))?;
    connection.write_all(head)?;
    write!(connection, " HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n")?;
    write!(connection, "content-length: {}\r\n\r\n", body.len())?;
    connection.write_all(body)?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
    Ok((head.split(' ').nth(1).context("an answer has a status")?.parse()?, body.to_string()))
}

/// The status of a refusal, which must be a problem document.
pub fn refusal(orders: &Orders, head: &[u8], body: &[u8]) -> anyhow::Result<u16> {
    let (status, document) = send(orders, head, body)?;
    let document: Value = serde_json::from_str(&document).with_context(|| format!("{status}: {document}"))?;
    assert_eq!(document["status"], status);
    assert_eq!(document["traceId"].as_str().map(str::len), Some(32), "{document}");
    Ok(status)
}
