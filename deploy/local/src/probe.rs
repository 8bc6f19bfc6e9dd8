//! Asking over TCP whether a part is there. A probe says why not, so that a deadline that passes can tell.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

pub(crate) fn connect(port: u16) -> io::Result<TcpStream> {
    let connection = TcpStream::connect_timeout(&address(port), PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}

/// Whether `GET path` is answered with 200.
pub(crate) fn answers_http(port: u16, path: &str) -> Result<(), String> {
    succeeds(port, "GET", path, PATIENCE)
}

/// Whether `POST path` is answered with 200.
pub(crate) fn post(port: u16, path: &str, within: Duration) -> Result<(), String> {
    succeeds(port, "POST", path, within)
}

fn succeeds(port: u16, method: &str, path: &str, within: Duration) -> Result<(), String> {
    let answer = ask(port, method, path, within);
    let answer = answer.map_err(|error| format!("http://127.0.0.1:{port}{path} does not answer: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or("nothing");
    match status {
        "200" => Ok(()),
        _ => Err(format!("http://127.0.0.1:{port}{path} answers {status}: {}", body.trim())),
    }
}

fn ask(port: u16, method: &str, path: &str, within: Duration) -> io::Result<String> {
    let mut connection = connect(port)?;
    connection.set_read_timeout(Some(within))?;
    write!(
        connection,
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
