use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use avro_codec::AvroRecord;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use streams::{Topic, TopicDeclaration, Topology};
use utoipa_axum::router::OpenApiRouter;

use crate::describe::ServiceDescription;
use crate::engine::Plan;
use crate::job::{Job, JobBuilder};
use crate::process::Process;
use crate::signals::Signals;
use crate::{Context, KitOptions, commands, logging};

/// Threads that run what is not the stream thread: handlers wait more than they compute.
const WORKER_THREADS: usize = 2;

/// A service as it is declared: a name, options, and what it does with them. [`run`](Self::run) makes a process of it. The
/// [crate's page](crate) shows one, and what becomes of it.
pub struct Service<O> {
    name: &'static str,
    topology: Option<fn(&O) -> Topology>,
    journaled: Vec<TopicDeclaration>,
    commit_interval: Option<Duration>,
    sunk: Vec<TopicDeclaration>,
    sunk_of: Option<fn(&O) -> Vec<TopicDeclaration>>,
    browses: bool,
    pub(crate) http: Option<RouterBuilder<O>>,
    pub(crate) tasks: Vec<(&'static str, TaskBuilder<O>)>,
    jobs: Vec<Job<O>>,
}

pub(crate) type RouterBuilder<O> = Box<dyn FnOnce(&Context<O>) -> OpenApiRouter + Send>;
pub(crate) type TaskBuilder<O> = Box<dyn FnOnce(Context<O>) -> RunningTask + Send>;
pub(crate) type RunningTask = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

#[derive(Debug, Parser)]
struct Arguments<O: Args> {
    #[command(flatten)]
    kit: KitOptions,
    // Last, because what is said about the last one is said about the program.
    #[command(flatten)]
    options: O,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints what the service hears, says, keeps and can be told, as JSON; needs no connection
    Describe {
        /// Prints the topology as a Mermaid flowchart instead
        #[arg(long)]
        drawing: bool,
    },
    /// Asks the running service at --admin-listen whether it is ready; the exit code is 0 if it is, else 1, with a sentence
    Health,
    /// Has the running service at --admin-listen give its partitions to the other instances for good, and waits until that is
    /// done; to be asked before it is stopped and none comes in its place
    Leave,
}

impl<O: Args + Send + Sync + 'static> Service<O> {
    /// A service that does nothing yet. The name is the one its topology has.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            topology: None,
            journaled: Vec::new(),
            commit_interval: None,
            sunk: Vec::new(),
            sunk_of: None,
            browses: false,
            http: None,
            tasks: Vec::new(),
            jobs: Vec::new(),
        }
    }

    /// What it does with streams of records.
    #[must_use]
    pub fn topology(mut self, topology: fn(&O) -> Topology) -> Self {
        self.topology = Some(topology);
        self
    }

    /// A topic that its handlers and tasks write to with the [journal](Context::journal).
    #[must_use]
    pub fn journals<V: AvroRecord>(mut self, topic: &Topic<V>) -> Self {
        self.journaled.push(topic.declaration());
        self
    }

    /// How long changes of its stores may wait to be committed when nothing is written besides (Kafka Streams'
    /// `commit.interval.ms`); 100 ms unless given. For a service whose clients wait for such changes.
    #[must_use]
    pub fn commit_interval(mut self, interval: Duration) -> Self {
        self.commit_interval = Some(interval);
        self
    }

    /// A topic whose records a task takes out of Kafka with the [sink](Context::sink), to where their positions are kept.
    #[must_use]
    pub fn sinks<V: AvroRecord>(mut self, topic: &Topic<V>) -> Self {
        self.sunk.push(topic.declaration());
        self
    }

    /// Further topics for the [sink](Context::sink), where its options decide which.
    #[must_use]
    pub fn sinks_of(mut self, topics: fn(&O) -> Vec<TopicDeclaration>) -> Self {
        self.sunk_of = Some(topics);
        self
    }

    /// That it looks at topics and groups with the [browser](Context::browser).
    #[must_use]
    pub fn browses(mut self) -> Self {
        self.browses = true;
        self
    }

    /// What it answers over HTTP; described at `/openapi.json` and `/docs`.
    #[must_use]
    pub fn http(mut self, router: impl FnOnce(&Context<O>) -> OpenApiRouter + Send + 'static) -> Self {
        self.http = Some(Box::new(router));
        self
    }

    /// What else it does, until it is [stopping](Context::stopping). A task that ends earlier ends the process.
    #[must_use]
    pub fn task<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
        mut self,
        name: &'static str,
        task: impl FnOnce(Context<O>) -> F + Send + 'static,
    ) -> Self {
        self.tasks.push((name, Box::new(|context| Box::pin(task(context)))));
        self
    }

    /// A job beside the service, which is done once: `<service> <name>`, with the options of the service before or behind.
    /// It opens no port and is in no group; what it reads of Kafka it [replays](Context::replay). It ends soon after it is
    /// asked to [stop](Context::stopping), with an error unless it is done.
    #[must_use]
    pub fn command<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
        mut self,
        name: &'static str,
        about: &'static str,
        job: impl FnOnce(Context<O>) -> F + Send + 'static,
    ) -> Self {
        let run: JobBuilder<O> = Box::new(|context| Box::pin(job(context)));
        self.jobs.push(Job { name, about, run });
        self
    }

    /// The process, from its arguments to its exit code: 0 after a signal and an orderly end, 1 when it could not start or
    /// go on, 2 for wrong arguments. That of a [command](Self::command) is 0 only if the job is done.
    pub fn run(mut self) -> ExitCode {
        let command = self.command_line();
        let matches = command.clone().try_get_matches().unwrap_or_else(|error| error.exit());
        if let Some((job, given)) = self.asked_job(&matches) {
            return self.perform(job, given);
        }
        let arguments = Arguments::<O>::from_arg_matches(&matches);
        let Arguments { options, kit, command: asked } = arguments.unwrap_or_else(|error| error.exit());
        let plan = match self.plan(&options) {
            Ok(plan) => plan,
            Err(error) => return complaint(&error),
        };
        let outcome = match asked {
            Some(Command::Describe { drawing: false }) => print_description(&plan, &command),
            Some(Command::Describe { drawing: true }) => {
                print!("{}", plan.graph.as_ref().map(|graph| graph.drawing()).unwrap_or_default());
                Ok(())
            }
            Some(Command::Health) => commands::health(kit.admin_listen),
            Some(Command::Leave) => commands::leave(kit.admin_listen),
            None => match logging::install(&kit.log, kit.log_format) {
                Ok(()) => return self.serve(options, kit, &plan),
                Err(error) => Err(error),
            },
        };
        outcome.map_or_else(|error| complaint(&error), |()| ExitCode::SUCCESS)
    }

    /// The command line, without the options that mean nothing to this service.
    fn command_line(&self) -> clap::Command {
        let mut command = Arguments::<O>::command().name(self.name);
        for job in &self.jobs {
            command = command.subcommand(clap::Command::new(job.name).about(job.about));
        }
        let has_jobs = !self.jobs.is_empty();
        let sinks = !self.sunk.is_empty() || self.sunk_of.is_some();
        let uses_kafka = self.topology.is_some() || !self.journaled.is_empty() || sinks || self.browses;
        let ids: Vec<_> = command.get_arguments().map(|argument| argument.get_id().clone()).collect();
        for id in ids {
            let means_something = match id.as_str() {
                "listen" => self.http.is_some(),
                "stream_threads" | "state_dir" | "advertised_url" => self.topology.is_some(),
                "journal_timeout" => !self.journaled.is_empty(),
                "kafka_bootstrap" | "schema_registry_url" | "topic_prefix" => uses_kafka,
                name if name.starts_with("http_") => self.http.is_some(),
                _ => true,
            };
            // A command knows all the options of its service.
            command = command.mut_arg(id, |argument| argument.hide(!means_something).global(has_jobs));
        }
        command
    }

    fn plan(&self, options: &O) -> anyhow::Result<Plan> {
        let graph = self.topology.map(|topology| topology(options).build()).transpose()?;
        let is_named_alike = graph.as_ref().is_none_or(|graph| graph.name() == self.name);
        anyhow::ensure!(is_named_alike, "the topology of {} must have its name", self.name);
        Ok(Plan {
            service: self.name,
            graph,
            journaled: self.journaled.clone(),
            commit_interval: self.commit_interval,
            sunk: self.sunk.iter().cloned().chain(self.sunk_of.iter().flat_map(|topics| topics(options))).collect(),
            browses: self.browses,
        })
    }

    /// The job that is asked for, and what it is given.
    fn asked_job<'m>(&mut self, matches: &'m ArgMatches) -> Option<(Job<O>, &'m ArgMatches)> {
        let (name, given) = matches.subcommand()?;
        let place = self.jobs.iter().position(|job| job.name == name)?;
        Some((self.jobs.swap_remove(place), given))
    }

    fn perform(self, job: Job<O>, given: &ArgMatches) -> ExitCode {
        let options = O::from_arg_matches(given).unwrap_or_else(|error| error.exit());
        let kit = KitOptions::from_arg_matches(given).unwrap_or_else(|error| error.exit());
        let plan = self.plan(&options).and_then(|plan| logging::install(&kit.log, kit.log_format).map(|()| plan));
        match plan {
            Ok(plan) => on_runtime(job.done(options, kit, &plan)),
            Err(error) => complaint(&error),
        }
    }

    fn serve(self, options: O, kit: KitOptions, plan: &Plan) -> ExitCode {
        on_runtime(self.until_signal(options, kit, plan))
    }

    async fn until_signal(self, options: O, kit: KitOptions, plan: &Plan) -> ExitCode {
        let mut signals = match Signals::caught() {
            Ok(signals) => signals,
            Err(error) => return complaint(&anyhow::Error::new(error).context("signals cannot be caught")),
        };
        let mut process = Process::new(kit);
        let mut code = ExitCode::SUCCESS;
        tokio::select! {
            outcome = process.live(self, Arc::new(options), plan) => {
                let Err(error) = outcome;
                tracing::error!("stopping: {error:#}");
                code = ExitCode::FAILURE;
            }
            signal = signals.next() => tracing::info!(signal, "stopping"),
        }
        signals.kill_from_now_on();
        if let Err(error) = process.drained().await {
            tracing::error!("not stopped in good order: {error:#}");
            code = ExitCode::FAILURE;
        }
        tracing::info!("stopped");
        code
    }
}

impl<O> fmt::Debug for Service<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name).finish_non_exhaustive()
    }
}

fn print_description(plan: &Plan, command: &clap::Command) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(&ServiceDescription::new(plan.describe(), command))?);
    Ok(())
}

fn on_runtime(process: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKER_THREADS).enable_all().build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(process);
            // Whatever still runs has had its time.
            runtime.shutdown_background();
            code
        }
        Err(error) => complaint(&anyhow::Error::new(error).context("the runtime cannot be started")),
    }
}

/// For what happens before there is a log.
fn complaint(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
