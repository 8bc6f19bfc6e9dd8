use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Plan};
use crate::readiness::Readiness;
use crate::service::RunningTask;
use crate::signals::Signals;
use crate::stage::Stage;
use crate::{Context, KitOptions};

/// What a service does once, as a process of its own.
pub(crate) struct Job<O> {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: JobBuilder<O>,
}

pub(crate) type JobBuilder<O> = Box<dyn FnOnce(Context<O>) -> RunningTask + Send>;

impl<O: Send + Sync + 'static> Job<O> {
    /// The whole life of its process.
    pub(crate) async fn done(self, options: O, kit: KitOptions, plan: &Plan) -> ExitCode {
        let name = self.name;
        match self.until_signal(options, kit, plan).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("{name} is not done: {error:#}");
                ExitCode::FAILURE
            }
        }
    }

    async fn until_signal(self, options: O, kit: KitOptions, plan: &Plan) -> anyhow::Result<()> {
        let mut signals = Signals::caught().context("signals cannot be caught")?;
        let (deadline, stopping) = (kit.drain_deadline, CancellationToken::new());
        let mut work = pin!(self.work(options, kit, plan, stopping.clone()));
        tokio::select! {
            done = work.as_mut() => return done,
            signal = signals.next() => tracing::info!(signal, "stopping"),
        }
        stopping.cancel();
        signals.kill_from_now_on();
        timeout(deadline, work).await.unwrap_or_else(|_| bail!("it did not stop in time"))
    }

    /// Does it, when all that it needs is there.
    async fn work(self, options: O, kit: KitOptions, plan: &Plan, stopping: CancellationToken) -> anyhow::Result<()> {
        let mut stage = Stage::default();
        // Its reasons are logged as they change.
        let readiness = Readiness::starting(self.name, "it is starting");
        let replay = tokio::select! {
            replay = Engine::replaying(plan, &kit, &readiness, &mut stage) => replay?,
            () = stopping.cancelled() => bail!("it was stopped before it began"),
        };
        let context = Context {
            service: plan.service,
            instance: kit.instance,
            options: Arc::new(options),
            reader: None,
            journal: None,
            sink: Arc::default(),
            replay: Arc::new(Mutex::new(replay)),
            browser: None,
            readiness,
            stopping,
        };
        tokio::select! {
            biased;
            done = (self.run)(context) => done,
            broken = stage.broken() => Err(broken),
        }
    }
}
