use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// A collector that takes every span and looks at none (HTTP/1.1, as much of it as an exporter needs). What it costs is
/// counted with the driver.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) url: String,
    bytes: Arc<AtomicU64>,
    _runtime: Runtime,
}

impl Collector {
    pub(crate) fn listening() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let bytes = Arc::new(AtomicU64::new(0));
        let taken = bytes.clone();
        runtime.spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // Whoever hangs up has told what it wanted.
                tokio::spawn(serve(connection, taken.clone()));
            }
        });
        Ok(Self { url, bytes, _runtime: runtime })
    }

    /// How many bytes of spans it was told.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

async fn serve(connection: TcpStream, taken: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut connection = BufReader::new(connection);
    let mut body = Vec::new();
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().map_err(std::io::Error::other)?;
                }
                Some(_) => {}
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        body.resize(length, 0);
        connection.read_exact(&mut body).await?;
        taken.fetch_add(length as u64, Ordering::Relaxed);
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}
