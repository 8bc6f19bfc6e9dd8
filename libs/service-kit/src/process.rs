#![expect(clippy::disallowed_methods, reason = "what is left of the deadline for stopping is measured here")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use axum::Router;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::gethostname;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::admin::Streams;
use crate::engine::{Engine, Plan};
use crate::http::{Limits, Problem, Server, document};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::service::Service;
use crate::stage::Stage;
use crate::telemetry::Telemetry;
use crate::{Context, KitOptions, admin};

/// What the readiness page calls the process itself.
const PROCESS: &str = "process";

/// When a client that found nothing ready should come again.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// A running service. What faces the world is stopped first, what it stands on later, and the admin port last, so that
/// requests in flight still see their commits and probes always get an answer.
#[derive(Debug)]
pub(crate) struct Process {
    kit: KitOptions,
    readiness: Readiness,
    telemetry: Telemetry,
    front: Stage,
    engine: Stage,
    admin: Stage,
}

impl Process {
    pub(crate) fn new(kit: KitOptions) -> Self {
        Self {
            kit,
            readiness: Readiness::starting(PROCESS, "the process is starting"),
            telemetry: Telemetry::default(),
            front: Stage::default(),
            engine: Stage::default(),
            admin: Stage::default(),
        }
    }

    /// Starts everything and watches over it. Returns when something cannot start or has ended; dropping the future keeps
    /// all that has been started.
    pub(crate) async fn live<O: Send + Sync + 'static>(
        &mut self,
        service: Service<O>,
        options: Arc<O>,
        plan: &Plan,
    ) -> anyhow::Result<Infallible> {
        raise_file_limit();
        let metrics = Metrics::install(plan.service, self.kit.instance)?;
        metrics.observe_readiness(self.readiness.clone());
        self.telemetry = Telemetry::started(plan.service, self.kit.instance, &self.kit.traces)?;
        let admin = listening(self.kit.admin_listen, admin::limits(), "--admin-listen").await?;
        let front = match &service.http {
            Some(_) => {
                let server = listening(self.kit.listen, self.kit.http.clone(), "--listen").await?;
                Some(server.traced(self.telemetry.tracer.clone()))
            }
            None => None,
        };
        tracing::info!(address = %admin.address(), "probes and metrics are served");
        if let Some(server) = &front {
            tracing::info!(address = %server.address(), "HTTP requests are taken");
        }
        self.kit.advertised_url.get_or_insert_with(|| reachable_url(admin.address()));
        let streams = Streams::default();
        let admin_router = admin::router(self.readiness.clone(), metrics, streams.clone());
        let stop = self.admin.stop();
        self.admin.spawn("the admin port", serving(admin, admin_router, stop, Duration::ZERO));

        let engine = self.engine_started(plan, front.as_ref()).await?;
        if let Some(reader) = &engine.reader {
            streams.arrived(reader.streams().clone());
        }
        let context = Context {
            service: plan.service,
            instance: self.kit.instance,
            options,
            reader: engine.reader,
            journal: engine.journal,
            sink: Arc::new(Mutex::new(engine.sink)),
            replay: Arc::default(),
            browser: engine.browser,
            readiness: self.readiness.clone(),
            stopping: self.front.stop(),
        };
        if let (Some(server), Some(build)) = (front, service.http) {
            let router = document(plan.service, build(&context));
            // What is left of the deadline is for the last commit.
            let grace = self.kit.drain_deadline * 6 / 10;
            self.front.spawn("the HTTP server", serving(server, router, context.stopping(), grace));
        }
        for (name, task) in service.tasks {
            self.front.spawn(name, task(context.clone()));
        }
        self.readiness.arrived(PROCESS);
        Err(self.broken().await)
    }

    /// Until the engine has found all that it needs, requests are answered with what it waits for.
    async fn engine_started(&mut self, plan: &Plan, front: Option<&Server>) -> anyhow::Result<Engine> {
        let over = CancellationToken::new();
        let meanwhile = async {
            if let Some(server) = front {
                server.serve_meanwhile(not_ready(self.readiness.clone()), over.clone()).await;
            }
        };
        let engine = async {
            let tracing = self.telemetry.tracing.clone();
            let engine = Engine::started(plan, &self.kit, tracing, &self.readiness, &mut self.engine).await;
            over.cancel();
            engine
        };
        tokio::join!(engine, meanwhile).0
    }

    async fn broken(&mut self) -> anyhow::Error {
        tokio::select! {
            error = self.front.broken() => error,
            error = self.engine.broken() => error,
            error = self.admin.broken() => error,
        }
    }

    /// Stops everything in its order.
    ///
    /// # Errors
    /// Something failed while it stopped, or did not stop in time.
    pub(crate) async fn drained(mut self) -> anyhow::Result<()> {
        self.readiness.awaiting(PROCESS, "the process is stopping");
        let began = Instant::now();
        let outcome = timeout(self.kit.drain_deadline, async {
            let front = self.front.ended().await;
            let engine = self.engine.ended().await;
            front.and(engine)
        });
        let outcome = match outcome.await {
            Ok(outcome) => outcome,
            Err(_) => {
                let running = [self.front.running(), self.engine.running()].concat().join(", ");
                Err(anyhow!("the deadline for stopping is over, and these have not ended: {running}"))
            }
        };
        self.telemetry.flushed(self.kit.drain_deadline.saturating_sub(began.elapsed())).await;
        outcome.and(self.admin.ended().await)
    }
}

async fn listening(address: SocketAddr, limits: Limits, option: &str) -> anyhow::Result<Server> {
    Server::bind(address, limits).await.with_context(|| format!("{option} {address}"))
}

/// Where the others of the service find this instance, if nobody says otherwise: on this machine, by its name if the port is
/// open on all its addresses.
fn reachable_url(admin: SocketAddr) -> String {
    let host = if admin.ip().is_unspecified() { gethostname().ok() } else { None };
    match host.and_then(|host| host.into_string().ok()) {
        Some(host) => format!("http://{host}:{}", admin.port()),
        None => format!("http://{admin}"),
    }
}

async fn serving(server: Server, router: Router, stop: CancellationToken, grace: Duration) -> anyhow::Result<()> {
    server.serve(router, stop, grace).await;
    Ok(())
}

fn not_ready(readiness: Readiness) -> Router {
    Router::new().fallback(async move || {
        let reasons = readiness.state().reasons();
        Problem::unavailable(format!("The service is not ready: {reasons}."), COME_AGAIN)
    })
}

/// Every client costs a file descriptor; the soft limit is often as low as 1024 for the sake of programs that use
/// `select`, which this one does not.
fn raise_file_limit() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
