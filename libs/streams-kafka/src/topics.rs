use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use streams::{Cleanup, Graph, TopicDeclaration};

use crate::Settings;

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
    check_declarations(settings, &declared)?;
    Ok(missing.into_iter().map(|topic| topic.name.clone()).collect())
}

/// Checks that everything a graph reads and writes is there and as declared.
pub(crate) fn check(settings: &Settings, graph: &Graph) -> Result<(), TopicsError> {
    let all = graph.inputs().chain(graph.outputs()).cloned().chain(graph.changelogs()).chain([graph.dead_letters()]);
    let mut declared: Vec<TopicDeclaration> = all.map(|topic| settings.declaration(&topic)).collect();
    // A topic may be both read and written; asked twice for its configuration the broker's answer cannot be matched.
    declared.sort_by(|a, b| a.name.cmp(&b.name));
    declared.dedup();
    check_declarations(settings, &declared)
}

/// Deletes the records of a repartition topic that its only reader has committed past.
pub(crate) fn purge(settings: &Settings, before: &TopicPartitionList) -> Result<(), KafkaError> {
    let options = AdminOptions::new().request_timeout(Some(CALL_TIMEOUT));
    let purged = block_on(admin(settings)?.delete_records(before, &options));
    purged.unwrap_or(Err(KafkaError::Canceled)).map(|_| ())
}

fn check_declarations(settings: &Settings, declared: &[TopicDeclaration]) -> Result<(), TopicsError> {
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
    let policies = cleanup_policies(settings, declared)?;
    for topic in declared {
        let wanted = policy(topic.cleanup);
        let found = policies.get(&topic.name).map_or("", String::as_str);
        if found != wanted {
            return Err(TopicsError::Different(format!(
                "topic `{}` has cleanup.policy={found}, declared is {wanted}: set it with kafka-configs --alter, after \
                 making sure that no record was deleted that is needed",
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

fn cleanup_policies(
    settings: &Settings,
    declared: &[TopicDeclaration],
) -> Result<BTreeMap<String, String>, TopicsError> {
    let unavailable = |cause: String| TopicsError::Unavailable { servers: settings.bootstrap_servers.clone(), cause };
    let resources: Vec<ResourceSpecifier<'_>> =
        declared.iter().map(|topic| ResourceSpecifier::Topic(&topic.name)).collect();
    let options = AdminOptions::new().request_timeout(Some(CALL_TIMEOUT));
    let admin = admin(settings).map_err(|error| unavailable(error.to_string()))?;
    let described =
        block_on(admin.describe_configs(&resources, &options))?.map_err(|error| unavailable(error.to_string()))?;
    let mut policies = BTreeMap::new();
    for (topic, described) in declared.iter().zip(described) {
        let described = described.map_err(|error| unavailable(error.to_string()))?;
        let policy = described.entries.into_iter().find(|entry| entry.name == "cleanup.policy");
        policies.insert(topic.name.clone(), policy.and_then(|entry| entry.value).unwrap_or_default());
    }
    Ok(policies)
}

fn topic_config(topic: &TopicDeclaration) -> Vec<(&'static str, String)> {
    let mut config = vec![("cleanup.policy", policy(topic.cleanup).to_string())];
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
        config.push(("max.message.bytes", (2 * 1024 * 1024).to_string()));
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
