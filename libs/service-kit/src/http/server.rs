use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use opentelemetry_sdk::trace::SdkTracer;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::Limits;
use super::edge::Edge;
use super::stall::Stallable;

/// How often a silent HTTP/2 client is asked whether it is still there, and how long it may take to answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long answers that are already written may take to reach the client when the time to drain is over.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long to wait before the next connection is accepted when the process has no file descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(500);

/// An HTTP/1.1 and HTTP/2 (prior knowledge, no TLS) server with bounds on what clients can cost, draining on request.
///
/// `axum::serve` has no timeout for the head of a request, so a client that sends a byte now and then holds a connection
/// for ever; here such clients are cut off.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    tracer: Option<SdkTracer>,
}

/// An address cannot be listened on.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Another process listens there.
    #[error("{0} is taken: stop the process that listens there, or choose another address")]
    Taken(SocketAddr),
    /// Anything else, such as an address that is not this machine's.
    #[error("cannot listen on {0}: {1}")]
    Refused(SocketAddr, io::Error),
}

impl Server {
    /// Takes the address; port 0 takes a free one. Connections wait in the queue of the operating system until
    /// [`serve`](Self::serve) accepts them.
    ///
    /// # Errors
    /// The address is taken or not to be had.
    pub async fn bind(address: SocketAddr, limits: Limits) -> Result<Self, ListenError> {
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::Taken(address),
            _ => ListenError::Refused(address, error),
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, limits, tracer: None })
    }

    /// Tells this tracer of each request.
    pub(crate) fn traced(self, tracer: Option<SdkTracer>) -> Self {
        Self { tracer, ..self }
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `router` until `shutdown` is cancelled; then accepts no more, lets the requests that are in flight end for
    /// `grace`, answers those that still wait with 503, and returns.
    pub async fn serve(self, router: Router, shutdown: CancellationToken, grace: Duration) {
        let connections = Connections::new(router, self.limits, shutdown, self.tracer);
        connections.accept(&self.listener).await;
        drop(self.listener);
        connections.drained(grace).await;
    }

    /// Serves `router`, whose handlers answer at once, until `over` is cancelled; who connects after that waits to be
    /// accepted.
    pub(crate) async fn serve_meanwhile(&self, router: Router, over: CancellationToken) {
        let connections = Connections::new(router, self.limits.clone(), over, self.tracer.clone());
        connections.accept(&self.listener).await;
        connections.drained(Duration::ZERO).await;
    }
}

/// What every connection shares.
struct Connections {
    router: Router,
    protocol: auto::Builder<TokioExecutor>,
    first_request: Duration,
    write_timeout: Duration,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// Cancelled when requests must wait no longer.
    closing: CancellationToken,
    /// Cancelled when connections must be no more.
    cut: CancellationToken,
}

impl Connections {
    fn new(router: Router, limits: Limits, shutdown: CancellationToken, tracer: Option<SdkTracer>) -> Arc<Self> {
        let closing = CancellationToken::new();
        let mut protocol = auto::Builder::new(TokioExecutor::new());
        // Twice the limit, so that what is a little too large is answered with a problem document by the edge; what is
        // larger still is answered by the protocol, without one.
        let head_bytes = limits.head_bytes.saturating_mul(2).max(8 * 1024);
        protocol
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_buf_size(head_bytes as usize)
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .max_concurrent_streams(limits.streams)
            // All the readers of another instance may hang up at once.
            .max_pending_accept_reset_streams(limits.streams as usize)
            .max_header_list_size(head_bytes);
        Arc::new(Self {
            router: Edge::new(limits.clone(), closing.clone(), tracer).around(router),
            protocol,
            first_request: limits.head_timeout,
            write_timeout: limits.write_timeout,
            places: Arc::new(Semaphore::new(limits.connections as usize)),
            tasks: TaskTracker::new(),
            shutdown,
            closing,
            cut: CancellationToken::new(),
        })
    }

    /// Takes connections until it is time to shut down.
    async fn accept(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            let accepted = async {
                let place = self.places.clone().acquire_owned().await.expect("the semaphore is never closed");
                (listener.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                accepted = accepted => accepted,
                () = self.shutdown.cancelled() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    // Answers are short and written at once: nothing is won by waiting for more.
                    let _ = stream.set_nodelay(true);
                    let connections = self.clone();
                    self.tasks.spawn(async move { connections.serve(stream, place).await });
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted for now");
                    sleep(EXHAUSTED).await;
                }
            }
        }
    }

    /// Waits for the connections to end, and helps them to.
    async fn drained(&self, grace: Duration) {
        self.tasks.close();
        if timeout(grace, self.tasks.wait()).await.is_err() {
            self.closing.cancel();
            // Whoever does not take the answer even now is cut off.
            let _ = timeout(LAST_WORDS, self.tasks.wait()).await;
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }

    async fn serve(&self, stream: TcpStream, place: OwnedSemaphorePermit) {
        let has_asked = AtomicBool::new(false);
        let service = service_fn(|request| {
            has_asked.store(true, Ordering::Relaxed);
            self.router.clone().call(request)
        });
        let stream = Stallable::new(stream, self.write_timeout);
        let mut connection = pin!(self.protocol.serve_connection(TokioIo::new(stream), service));
        // The timeout for heads begins when the protocol is known; a client that says nothing at all is cut off here.
        let mut silence = pin!(sleep(self.first_request));
        let mut is_silence_over = false;
        let mut is_draining = false;
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection broke off");
                    }
                    break;
                }
                () = silence.as_mut(), if !is_silence_over => {
                    is_silence_over = true;
                    if !has_asked.load(Ordering::Relaxed) {
                        break;
                    }
                }
                () = self.shutdown.cancelled(), if !is_draining => {
                    is_draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.cut.cancelled() => break,
            }
        }
        drop(place);
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
