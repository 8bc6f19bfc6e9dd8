use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A mail provider that takes everything at once (HTTP/1.1, as much of it as a client needs), and tells who waits when.
#[derive(Debug, Default)]
pub(crate) struct Provider {
    awaited: Mutex<HashMap<String, oneshot::Sender<Instant>>>,
}

impl Provider {
    /// Listens, and returns its URL.
    pub(crate) async fn listening(self: Arc<Self>) -> anyhow::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/v1/mails", listener.local_addr()?);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let provider = self.clone();
                // Whoever hangs up has what it wanted.
                tokio::spawn(async move { provider.serve(connection).await });
            }
        });
        Ok(url)
    }

    /// When the mail with this key arrives.
    pub(crate) fn awaited(&self, key: &str) -> oneshot::Receiver<Instant> {
        let (arrived, awaited) = oneshot::channel();
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_string(), arrived);
        awaited
    }

    async fn serve(&self, connection: TcpStream) -> std::io::Result<()> {
        let mut connection = BufReader::new(connection);
        loop {
            let (mut key, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if connection.read_line(&mut line).await? == 0 {
                    return Ok(());
                }
                match line.trim_end().split_once(": ") {
                    Some((name, value)) if name.eq_ignore_ascii_case("idempotency-key") => key = value.to_string(),
                    Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                        length = value.parse().map_err(std::io::Error::other)?;
                    }
                    Some(_) => {}
                    None if line.trim_end().is_empty() => break,
                    None => {}
                }
            }
            connection.read_exact(&mut vec![0; length]).await?;
            if let Some(awaited) = self.awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(&key) {
                let _ = awaited.send(Instant::now());
            }
            connection.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await?;
        }
    }
}
