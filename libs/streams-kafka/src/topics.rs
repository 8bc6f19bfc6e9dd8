use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use streams::{Cleanup, Graph, TopicDeclaration};

use crate::Settings;
use crate::clock::Stopwatch;
use crate::settings::{MAX_DEAD_LETTER_BYTES, RECORD_OVERHEAD_BYTES};

/// Why the topics of a service are not as it needs them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicsError {
    /// No broker answers.
    #[error("the broker at {servers} does not answer ({cause})")]
    Unavailable {
        /// `bootstrap.servers`.
        servers: String,
        /// What the client says.
        cause: String,
    },
    /// Topics that do not exist yet: the topic step creates them.
    #[error("topics that do not exist yet: {}", .0.join(", "))]
    Missing(Vec<String>),
    /// A topic that exists with other settings than declared.
    #[error("{0}")]
    Different(String),
}

const CALL_TIMEOUT: Duration = Duration::from_secs(5);
const METADATA_INTERVAL: Duration = Duration::from_millis(50);

/// Creates the topics that are not there and checks those that are. The topic step's whole work; services never call it.
///
/// # Errors
/// [`TopicsError`]; nothing is ever changed in a topic that exists.
pub fn create(settings: &Settings, topics: &[TopicDeclaration]) -> Result<Vec<String>, TopicsError> {
    let unavailable = |cause: String| TopicsError::Unavailable { servers: settings.bootstrap_servers.clone(), cause };
    let existing = partition_counts(settings)?;
    let declared: Vec<TopicDeclaration> = topics.iter().map(|topic| settings.declaration(topic)).collect();
    let missing: Vec<&TopicDeclaration> = declared.iter().filter(|topic| !existing.contains_key(&topic.name)).collect();
    let wanted: Vec<Vec<(&str, String)>> = missing.iter().map(|topic| topic_config(topic)).collect();
    let requests = missing.iter().zip(&wanted).map(|(topic, config)| {
        let request = NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(-1));
        config.iter().fold(request, |request, (key, value)| request.set(key, value))
    });
    let requests: Vec<NewTopic<'_>> = requests.collect();
    if !requests.is_empty() {
        let options = AdminOptions::new().request_timeout(Some(CALL_TIMEOUT)).operation_timeout(Some(CALL_TIMEOUT));
        let admin = admin(settings).map_err(|error| unavailable(error.to_string()))?;
        let results =
            block_on(admin.create_topics(&requests, &options))?.map_err(|error| unavailable(error.to_string()))?;
        for (topic, code) in results.into_iter().filter_map(Result::err) {
            if code != RDKafkaErrorCode::TopicAlreadyExists {
                return Err(TopicsError::Different(format!("the broker does not create `{topic}`: {code}")));
            }
        }
    }
    // The controller has created them; a broker's metadata follows a moment later.
    let creation = Stopwatch::start();
    loop {
        match check_declarations(settings, &declared) {
            Err(TopicsError::Missing(_)) if creation.elapsed() < CALL_TIMEOUT => thread::sleep(METADATA_INTERVAL),
            checked => return checked.map(|()| missing.into_iter().map(|topic| topic.name.clone()).collect()),
        }
    }
}

/// Checks that everything a graph reads and writes is there and as declared.
pub(crate) fn check(settings: &Settings, graph: &Graph) -> Result<(), TopicsError> {
    let all = graph
        .inputs()
        .chain(graph.global_topics())
        .chain(graph.outputs())
        .cloned()
        .chain(graph.changelogs())
        .chain([graph.dead_letters()]);
    let mut declared: Vec<TopicDeclaration> = all.map(|topic| settings.declaration(&topic)).collect();
    // A topic may be both read and written; asked twice for its configuration the broker's answer cannot be matched.
    declared.sort_by(|a, b| a.name.cmp(&b.name));
    declared.dedup();
    check_declarations(settings, &declared)
}

/// How long the topics that stores are restored from remember what was removed (`delete.retention.ms`): the shortest.
pub(crate) fn removals_kept_for(settings: &Settings, graph: &Graph) -> Result<Duration, TopicsError> {
    let tables = graph.inputs().filter(|topic| topic.cleanup == Cleanup::Compacted).cloned();
    let restored: Vec<TopicDeclaration> =
        graph.changelogs().chain(tables).map(|topic| settings.declaration(&topic)).collect();
    if restored.is_empty() {
        // Asked about nothing, the client library refuses to ask.
        return Ok(Duration::MAX);
    }
    let kept = configurations(settings, &restored)?
        .into_iter()
        .filter_map(|config| config.get("delete.retention.ms")?.parse().ok().map(Duration::from_millis));
    Ok(kept.min().unwrap_or(Duration::MAX))
}

/// Deletes the records of a repartition topic that its only reader has committed past.
pub(crate) fn purge(settings: &Settings, before: &TopicPartitionList) -> Result<(), KafkaError> {
    let options = AdminOptions::new().request_timeout(Some(CALL_TIMEOUT));
    let purged = block_on(admin(settings)?.delete_records(before, &options));
    purged.unwrap_or(Err(KafkaError::Canceled)).map(|_| ())
}

/// Checks that these topics are there and as declared.
pub(crate) fn check_declarations(settings: &Settings, declared: &[TopicDeclaration]) -> Result<(), TopicsError> {
    let existing = partition_counts(settings)?;
    let is_missing = |topic: &&TopicDeclaration| !existing.contains_key(&topic.name);
    let missing: Vec<String> = declared.iter().filter(is_missing).map(|topic| topic.name.clone()).collect();
    if !missing.is_empty() {
        return Err(TopicsError::Missing(missing));
    }
    for topic in declared {
        let partitions = existing[&topic.name];
        if partitions != topic.partitions {
            return Err(TopicsError::Different(format!(
                "topic `{}` has {partitions} partitions, declared are {}: keys would be found in other partitions than \
                 they were written to; create a new topic with the declared number and copy the records",
                topic.name, topic.partitions
            )));
        }
    }
    for (topic, config) in declared.iter().zip(configurations(settings, declared)?) {
        let found = |name: &str| config.get(name).map_or("", String::as_str);
        let (wanted, policy) = (policy(topic.cleanup), found("cleanup.policy"));
        if policy != wanted {
            return Err(TopicsError::Different(format!(
                "topic `{}` has cleanup.policy={policy}, declared is {wanted}: set it with kafka-configs --alter, after \
                 making sure that no record was deleted that is needed",
                topic.name
            )));
        }
        let timestamps = found("message.timestamp.type");
        if timestamps != "CreateTime" {
            return Err(TopicsError::Different(format!(
                "topic `{}` has message.timestamp.type={timestamps}, which overwrites event time: set it to CreateTime \
                 with kafka-configs --alter",
                topic.name
            )));
        }
        // A record that only the broker finds too large ends in an abort, and so does its repetition, for ever.
        let largest: usize = found("max.message.bytes").parse().unwrap_or(usize::MAX);
        let is_dead_letters = topic.schema.is_none();
        let needed =
            if is_dead_letters { MAX_DEAD_LETTER_BYTES } else { settings.max_record_bytes + RECORD_OVERHEAD_BYTES };
        if largest < needed {
            return Err(TopicsError::Different(format!(
                "topic `{}` has max.message.bytes={largest}, needed are {needed}: raise it with kafka-configs --alter",
                topic.name
            )));
        }
    }
    Ok(())
}

fn partition_counts(settings: &Settings) -> Result<BTreeMap<String, i32>, TopicsError> {
    let unavailable = |error: KafkaError| TopicsError::Unavailable {
        servers: settings.bootstrap_servers.clone(),
        cause: error.to_string(),
    };
    let client: BaseConsumer = settings.reader("read_committed").create().map_err(unavailable)?;
    let metadata = client.fetch_metadata(None, CALL_TIMEOUT).map_err(unavailable)?;
    let count = |partitions: usize| i32::try_from(partitions).unwrap_or(i32::MAX);
    Ok(metadata.topics().iter().map(|topic| (topic.name().to_string(), count(topic.partitions().len()))).collect())
}

/// What each topic is configured to, in the same order.
fn configurations(
    settings: &Settings,
    declared: &[TopicDeclaration],
) -> Result<Vec<BTreeMap<String, String>>, TopicsError> {
    let unavailable = |cause: String| TopicsError::Unavailable { servers: settings.bootstrap_servers.clone(), cause };
    let resources: Vec<ResourceSpecifier<'_>> =
        declared.iter().map(|topic| ResourceSpecifier::Topic(&topic.name)).collect();
    let options = AdminOptions::new().request_timeout(Some(CALL_TIMEOUT));
    let admin = admin(settings).map_err(|error| unavailable(error.to_string()))?;
    let described =
        block_on(admin.describe_configs(&resources, &options))?.map_err(|error| unavailable(error.to_string()))?;
    described
        .into_iter()
        .map(|resource| {
            let entries = resource.map_err(|error| unavailable(error.to_string()))?.entries;
            Ok(entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect())
        })
        .collect()
}

fn topic_config(topic: &TopicDeclaration) -> Vec<(&'static str, String)> {
    let mut config = vec![
        ("cleanup.policy", policy(topic.cleanup).to_string()),
        // Time is event time; a broker may be set up to overwrite it.
        ("message.timestamp.type", "CreateTime".to_string()),
    ];
    match topic.cleanup {
        Cleanup::Forever | Cleanup::Purged => {
            config.push(("retention.ms", "-1".to_string()));
            config.push(("retention.bytes", "-1".to_string()));
        }
        // Small segments, so that a changelog is compacted while it is still short.
        Cleanup::Compacted => config.push(("segment.bytes", (64 * 1024 * 1024).to_string())),
        Cleanup::Retained { retention_ms } => config.push(("retention.ms", retention_ms.to_string())),
    }
    if topic.schema.is_none() {
        // Dead letters hold a whole record and its coordinates.
        config.push(("max.message.bytes", MAX_DEAD_LETTER_BYTES.to_string()));
    }
    config
}

fn policy(cleanup: Cleanup) -> &'static str {
    match cleanup {
        Cleanup::Compacted => "compact",
        Cleanup::Forever | Cleanup::Purged | Cleanup::Retained { .. } => "delete",
    }
}

fn admin(settings: &Settings) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
    settings.client().create()
}

/// The admin client answers by futures only; its callers are plain threads.
fn block_on<F: Future>(future: F) -> Result<F::Output, TopicsError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime =
        runtime.map_err(|error| TopicsError::Different(format!("no runtime for the admin client: {error}")))?;
    Ok(runtime.block_on(future))
}
