//! What is asked of a running service by another process of its own binary, so that an image needs no shell and no HTTP client:
//! `<service> health` and `<service> leave`.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

/// How long the service may take to accept, and between two pieces of its answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long it may take to hand its partitions over.
const LEAVE_PATIENCE: Duration = Duration::from_secs(60);

/// More than what the service has to say.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// What the health check of a container asks.
///
/// It asks `/readyz`, not `/livez`: whoever starts things one after the other waits for what can serve, and nobody restarts a
/// container for being unhealthy unless told to. An orchestrator that does restart asks `/livez` itself.
///
/// # Errors
/// The service that serves its admin port there is not ready, with what it waits for, or does not answer.
pub(crate) fn health(admin_listen: SocketAddr) -> anyhow::Result<()> {
    ask(reachable(admin_listen), "GET", "/readyz", PATIENCE)
}

/// Has the service give its partitions to the other instances for good, and returns when that is done.
///
/// # Errors
/// It has no streams, has ended, or does not answer.
pub(crate) fn leave(admin_listen: SocketAddr) -> anyhow::Result<()> {
    ask(reachable(admin_listen), "POST", "/leave", LEAVE_PATIENCE)
}

fn ask(admin: SocketAddr, method: &str, path: &str, patience: Duration) -> anyhow::Result<()> {
    let answer =
        answer(admin, method, path, patience).with_context(|| format!("http://{admin}{path} does not answer"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        status => bail!("http://{admin}{path} answers {}: {}", status.unwrap_or("nothing"), body.trim()),
    }
}

fn answer(admin: SocketAddr, method: &str, path: &str, patience: Duration) -> io::Result<String> {
    let mut connection = TcpStream::connect_timeout(&admin, PATIENCE)?;
    connection.set_read_timeout(Some(patience))?;
    connection.set_write_timeout(Some(patience))?;
    let request = format!("{method} {path} HTTP/1.0\r\nHost: {admin}\r\nContent-Length: 0\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    connection.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Where a port that is open on all addresses is reached from here.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What is said of a service that gives this answer, or takes the question and gives none.
    fn said_of(answer: Option<&'static str>) -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let admin = listener.local_addr()?;
        let service = thread::spawn(move || {
            let (mut connection, _) = listener.accept()?;
            match answer {
                Some(answer) => {
                    // Whoever closes before it has read all resets the connection.
                    let lines = BufReader::new(&connection).lines();
                    let head = lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()));
                    assert!(head.count() > 1, "a request has come");
                    connection.write_all(answer.as_bytes())?;
                }
                // Until whoever asks hangs up.
                None => drop(connection.read_to_end(&mut Vec::new())?),
            }
            io::Result::Ok(())
        });
        let said = ask(admin, "GET", "/readyz", Duration::from_millis(50));
        service.join().expect("the service has answered")?;
        said
    }

    #[test]
    fn a_service_that_is_ready_is_healthy() {
        assert!(said_of(Some("HTTP/1.0 200 OK\r\n\r\n{\"status\":\"ready\"}")).is_ok());
    }

    #[test]
    fn one_that_waits_says_for_what() {
        let error = said_of(Some("HTTP/1.0 503 Service Unavailable\r\n\r\n{\"awaiting\":\"topics\"}\n")).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.ends_with("/readyz answers 503: {\"awaiting\":\"topics\"}"), "{text}");
    }

    #[test]
    fn one_that_says_nothing_or_is_not_there_does_not_answer() -> anyhow::Result<()> {
        let silent = said_of(None).unwrap_err();
        assert!(format!("{silent:#}").contains("does not answer: "), "{silent:#}");
        let empty = said_of(Some("")).unwrap_err();
        assert!(format!("{empty:#}").contains("answers nothing"), "{empty:#}");
        let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let gone = ask(nobody, "GET", "/readyz", PATIENCE).unwrap_err();
        assert!(format!("{gone:#}").contains("does not answer: "), "{gone:#}");
        Ok(())
    }

    #[test]
    fn a_port_that_is_open_on_all_addresses_is_asked_on_this_machine() -> anyhow::Result<()> {
        let asked = [("0.0.0.0:9464", "127.0.0.1:9464"), ("[::]:9464", "[::1]:9464"), ("10.0.0.7:1", "10.0.0.7:1")];
        for (listen, reached) in asked {
            assert_eq!(reachable(listen.parse()?), reached.parse()?);
        }
        Ok(())
    }
}
