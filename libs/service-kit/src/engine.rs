use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use avro_codec::Schemas;
use avro_codec::registry::{Registry, RegistryError, Resolver};
use streams::{Description, Graph, TopicDeclaration, subject};
use streams_kafka::{Browser, Journal, KafkaStreams, Settings, Sink, Status, Tracing};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::KitOptions;
use crate::readiness::Readiness;
use crate::stage::Stage;
use crate::view::Reader;

/// What the readiness page calls the things that are waited for.
const SCHEMAS: &str = "schemas";
const STREAMS: &str = "streams";
const SINK: &str = "sink";

/// Between two questions to a registry that is not there, or does not have the schemas yet.
const REGISTRY_INTERVAL: Duration = Duration::from_millis(500);

/// How long the registry may take for one answer.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a service wants of Kafka, known before any connection.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) service: &'static str,
    pub(crate) graph: Option<Arc<Graph>>,
    pub(crate) journaled: Vec<TopicDeclaration>,
    pub(crate) commit_interval: Option<Duration>,
    pub(crate) sunk: Vec<TopicDeclaration>,
    pub(crate) browses: bool,
}

/// What a service has of Kafka.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    pub(crate) reader: Option<Reader>,
    pub(crate) journal: Option<Journal>,
    pub(crate) sink: Option<Sink>,
    pub(crate) browser: Option<Browser>,
}

impl Plan {
    pub(crate) fn describe(&self) -> Description {
        let mut description = self.graph.as_ref().map_or_else(
            || Description {
                service: self.service.to_owned(),
                reads: Vec::new(),
                global_tables: Vec::new(),
                writes: Vec::new(),
                sub_topologies: Vec::new(),
            },
            |graph| graph.describe(),
        );
        description.writes.extend(self.journaled.iter().cloned());
        description.reads.extend(self.sunk.iter().map(|topic| topic.name.clone()));
        if self.graph.is_none() && !self.sunk.is_empty() {
            description.writes.push(TopicDeclaration::dead_letters(self.service));
        }
        description
    }

    /// The subjects whose schemas have to be registered before anything starts: of all that is written. A service that
    /// writes nothing binds what it reads, so that it recognizes its own registry.
    fn subjects(&self) -> BTreeMap<String, String> {
        let of = |topic: &TopicDeclaration| Some((subject(&topic.name), topic.schema.clone()?));
        let given_up = self.graph.iter().flat_map(|graph| graph.given_up()).filter_map(of);
        let written: BTreeMap<_, _> = self.describe().writes.iter().filter_map(of).chain(given_up).collect();
        let read = || self.graph.iter().flat_map(|graph| graph.inputs()).chain(&self.sunk).filter_map(of).collect();
        if written.is_empty() { read() } else { written }
    }
}

impl Engine {
    /// Waits until the registry has the schemas of all that the service writes, starts the streams, and waits until these
    /// have found broker and topics. All waiting shows in `readiness`, where the streams are reported on from then on.
    ///
    /// # Errors
    /// What no waiting will mend.
    pub(crate) async fn started(
        plan: &Plan,
        kit: &KitOptions,
        tracing: Tracing,
        readiness: &Readiness,
        stage: &mut Stage,
    ) -> anyhow::Result<Self> {
        if plan.graph.is_none() && plan.journaled.is_empty() && plan.sunk.is_empty() && !plan.browses {
            return Ok(Self::default());
        }
        let (registry, schemas) = bound(plan, kit, readiness).await?;
        let mut settings = settings(kit);
        settings.stream_threads = kit.stream_threads;
        settings.commit_interval = plan.commit_interval.unwrap_or(settings.commit_interval);
        settings.state_dir.clone_from(&kit.state_dir);
        settings.advertised_url.clone_from(&kit.advertised_url);
        settings.tracing = tracing;
        let mut engine = Self::default();
        if !plan.journaled.is_empty() {
            engine.journal = Some(Journal::new(settings.clone(), schemas.clone(), kit.journal_timeout)?);
        }
        if plan.graph.is_none() && plan.sunk.is_empty() && !plan.browses {
            return Ok(engine);
        }
        let resolver = resolver(registry, &schemas, stage);
        if let Some(graph) = &plan.graph {
            let (graph, settings, known, resolve) =
                (graph.clone(), settings.clone(), schemas.clone(), resolver.clone());
            let start = move || KafkaStreams::start(graph, settings, known, move |id| resolve.request(id));
            // On a thread of its own, since it reads the disk.
            let streams = spawn_blocking(start).await?.context("the stream threads cannot be started")?;
            let mut status = streams.status();
            let streams = Arc::new(streams);
            stage.spawn("the stream thread", supervised(streams.clone(), readiness.clone(), stage.stop()));
            engine.reader = Some(Reader::new(streams, schemas.clone(), resolver.clone()));
            // If the thread ends instead, the stage reports why.
            let _ = status.wait_for(|status| !matches!(status, Status::Waiting(_))).await;
        }
        if plan.browses {
            // Of its own: whoever looks about asks for any id, and no record may wait behind that or suffer from the answer.
            let (registry, known) = bound(plan, kit, readiness).await?;
            let (settings, resolve) = (settings.clone(), self::resolver(registry, &known, stage));
            let browser = Browser::new(settings, known, move |id| resolve.request(id));
            engine.browser = Some(browser.context("the browser cannot be started")?);
        }
        if !plan.sunk.is_empty() {
            let resolve = move |id| resolver.request(id);
            let sink = Sink::start(settings, schemas, plan.service, plan.sunk.clone(), resolve)
                .context("the sink cannot be started")?;
            watch_over("the sink", &sink, readiness, stage);
            engine.sink = Some(sink);
        }
        Ok(engine)
    }

    /// Waits until the registry knows the service, and reads what its sink reads, if it has one, in no group.
    ///
    /// # Errors
    /// What no waiting will mend.
    pub(crate) async fn replaying(
        plan: &Plan,
        kit: &KitOptions,
        readiness: &Readiness,
        stage: &mut Stage,
    ) -> anyhow::Result<Option<Sink>> {
        if plan.sunk.is_empty() {
            return Ok(None);
        }
        let (registry, schemas) = bound(plan, kit, readiness).await?;
        let resolver = resolver(registry, &schemas, stage);
        let replay = Sink::replay(settings(kit), schemas, plan.sunk.clone(), move |id| resolver.request(id))
            .context("the log cannot be read")?;
        watch_over("the replay", &replay, readiness, stage);
        Ok(Some(replay))
    }
}

/// What the service is called on the broker, and how it gets there.
fn settings(kit: &KitOptions) -> Settings {
    let mut settings = Settings::new(&kit.kafka_bootstrap, kit.instance.to_string());
    settings.topic_prefix.clone_from(&kit.topic_prefix);
    settings
}

/// Asks the registry for what it is requested, as long as the stage stands.
fn resolver(registry: Registry, schemas: &Schemas, stage: &mut Stage) -> Resolver {
    let resolver = Resolver::new(registry, schemas.clone());
    stage.spawn("schema resolution", resolving(resolver.clone(), stage.stop()));
    resolver
}

/// Has the readiness tell how it goes with a sink. Whoever has the sink may be done with it.
fn watch_over(name: &str, sink: &Sink, readiness: &Readiness, stage: &mut Stage) {
    let (mut status, readiness, stop) = (sink.status(), readiness.clone(), stage.stop());
    stage.spawn(name, async move {
        report(SINK, &mut status, &readiness, &stop).await?;
        stop.cancelled().await;
        Ok(())
    });
}

/// A registry that has what the service needs of it, and the schemas.
async fn bound(plan: &Plan, kit: &KitOptions, readiness: &Readiness) -> Result<(Registry, Schemas), RegistryError> {
    use RegistryError::{SubjectMissing, TextMissing, Unavailable};
    let schemas = Schemas::new();
    let registry = Registry::new(&kit.schema_registry_url, REGISTRY_TIMEOUT)?;
    let subjects: Vec<(String, String)> = plan.subjects().into_iter().collect();
    loop {
        match registry.bind_all(&schemas, &subjects).await {
            Ok(()) => break,
            Err(absence @ (Unavailable { .. } | SubjectMissing(_) | TextMissing(_))) => {
                readiness.awaiting(SCHEMAS, absence.to_string());
            }
            Err(error) => return Err(error),
        }
        sleep(REGISTRY_INTERVAL).await;
    }
    readiness.arrived(SCHEMAS);
    Ok((registry, schemas))
}

async fn resolving(resolver: Resolver, stop: CancellationToken) -> anyhow::Result<()> {
    tokio::select! {
        fatal = resolver.run() => Err(fatal.into()),
        () = stop.cancelled() => Ok(()),
    }
}

/// Reports where the streams stand until they have ended, and asks them to end when `stop` is cancelled.
async fn supervised(streams: Arc<KafkaStreams>, readiness: Readiness, stop: CancellationToken) -> anyhow::Result<()> {
    let mut status = streams.status();
    let report = report(STREAMS, &mut status, &readiness, &stop);
    let mut report = std::pin::pin!(report);
    tokio::select! {
        ended = report.as_mut() => return ended,
        () = stop.cancelled() => streams.stop(),
    }
    // Streams that still look for their broker and topics have nothing to commit, and would be a while in noticing.
    if let Status::Waiting(_) = *streams.status().borrow() {
        return Ok(());
    }
    report.await
}

async fn report(
    what: &'static str,
    status: &mut watch::Receiver<Status>,
    readiness: &Readiness,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let now = status.borrow_and_update().clone();
        match now {
            Status::Waiting(why) => readiness.awaiting(what, why),
            Status::Restoring(_) => readiness.awaiting(what, now.to_string()),
            Status::Running => readiness.arrived(what),
            // Readers who come here all the same are served by asking the others.
            Status::Left => {
                readiness.awaiting(what, "the instance has left its group");
                stop.cancelled().await;
                return Ok(());
            }
            Status::Stopped => return Ok(()),
            Status::Failed(why) => bail!(why),
        }
        status.changed().await.context("it panicked")?;
    }
}
