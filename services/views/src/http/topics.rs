use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use serde_json::Value;
use service_kit::http::{Parameters, Problem};
use service_kit::{Browser, PageRecord, PartitionContents, TopicContents};
use utoipa::ToSchema;

use super::refusals::Refusal;
use super::{Answer, Site};
use crate::cluster::{ClusterDocument, looked};
use crate::db::read::documents::Moment;

/// All topics.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopicsDocument {
    topics: Vec<TopicDocument>,
}

/// A topic and what is in it.
#[derive(Debug, Serialize, ToSchema)]
struct TopicDocument {
    name: String,
    /// At most so many: markers of transactions take up places, too
    records: i64,
    partitions: Vec<PartitionDocument>,
}

/// What is in a partition.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PartitionContents)]
struct PartitionDocument {
    partition: i32,
    /// The first offset that can be read
    first: i64,
    /// The offset that comes after the last one
    next: i64,
    /// At most so many
    records: i64,
}

/// Some records of a partition, in its sequence.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordsDocument {
    /// The first offset that can be read in the partition
    first: i64,
    /// The offset that comes after the last one in the partition
    next: i64,
    records: Vec<RecordDocument>,
}

/// A record.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RecordDocument {
    offset: i64,
    /// Its event time
    #[schema(value_type = String, example = "2026-01-01T12:00:00Z")]
    timestamp: Moment,
    key: Option<String>,
    /// In their order; a name may stand there more than once
    headers: Vec<HeaderDocument>,
    /// The schema of its value
    schema_id: Option<u32>,
    /// What it says; text, if it cannot be decoded; null, if it is a tombstone
    value: Option<Value>,
    /// Why it cannot be decoded
    problem: Option<String>,
    /// The length of its value
    bytes: usize,
}

/// A header of a record.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Header)]
struct HeaderDocument {
    #[schema(example = "processed-at")]
    name: String,
    value: String,
}

/// A schema.
#[derive(Debug, Serialize, ToSchema)]
pub struct SchemaDocument {
    id: u32,
    schema: Value,
}

/// Who reads what, and how far it is
#[utoipa::path(get, path = "/v1/cluster",
    responses((status = 200, description = "All groups", body = ClusterDocument), Refusal))]
pub async fn cluster(State(site): State<Site>, parameters: Parameters) -> Answer<ClusterDocument> {
    parameters.no_others(&[])?;
    Ok(Json(site.cluster.look().await?))
}

/// All topics, and what is in them
#[utoipa::path(get, path = "/v1/topics",
    responses((status = 200, description = "The topics", body = TopicsDocument), Refusal))]
pub async fn list(State(site): State<Site>, parameters: Parameters) -> Answer<TopicsDocument> {
    parameters.no_others(&[])?;
    let topics = looked(&site.browser, Browser::topics).await?;
    Ok(Json(TopicsDocument { topics: topics.into_iter().map(TopicDocument::from).collect() }))
}

/// Records of a partition, read without a group
#[utoipa::path(get, path = "/v1/topics/{topic}/{partition}",
    params(
        ("topic" = String, Path), ("partition" = i32, Path),
        ("offset" = Option<i64>, Query, description = "Where to begin, 0 unless given; a negative one counts from the end"),
        ("before" = Option<i64>, Query, description = "Instead of `offset`: the last records before this one"),
        ("limit" = Option<u64>, Query, description = "At most 100, and 20 unless given"),
    ),
    responses(
        (status = 200, description = "The records", body = RecordsDocument),
        (status = 404, description = "There is no such partition",
            body = Problem, content_type = "application/problem+json"),
        Refusal,
    ))]
pub async fn records(
    State(site): State<Site>,
    Path((topic, partition)): Path<(String, String)>,
    parameters: Parameters,
) -> Answer<RecordsDocument> {
    parameters.no_others(&["offset", "before", "limit"])?;
    let partition = partition.parse().map_err(|_| Problem::invalid_parameter("partition", "must be a whole number"))?;
    let offset = parameters.number("offset", i64::MIN..=i64::MAX)?;
    let before = parameters.number("before", i64::MIN..=i64::MAX)?;
    if before.is_some() && offset.is_some() {
        return Err(Problem::invalid_parameter("before", "cannot be combined with `offset`"));
    }
    let limit = usize::try_from(parameters.number("limit", 1..=100)?.unwrap_or(20)).unwrap_or(20);
    let page = looked(&site.browser, move |browser| match before {
        Some(before) => browser.records_before(&topic, partition, before, limit),
        None => browser.records(&topic, partition, offset.unwrap_or(0), limit),
    });
    let page = page.await?;
    let records = page.records.into_iter().map(RecordDocument::from).collect();
    Ok(Json(RecordsDocument { first: page.first, next: page.next, records }))
}

/// The schema of an id
#[utoipa::path(get, path = "/v1/schemas/{id}", params(("id" = u32, Path)),
    responses(
        (status = 200, description = "The schema", body = SchemaDocument),
        (status = 404, description = "There is no such schema",
            body = Problem, content_type = "application/problem+json"),
        Refusal,
    ))]
pub async fn schema(
    State(site): State<Site>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Answer<SchemaDocument> {
    parameters.no_others(&[])?;
    let id = id.parse().map_err(|_| Problem::invalid_parameter("id", "must be a whole number"))?;
    let schema = looked(&site.browser, move |browser| browser.schema(id)).await?;
    Ok(Json(SchemaDocument { id, schema }))
}

impl From<TopicContents> for TopicDocument {
    fn from(topic: TopicContents) -> Self {
        let partitions: Vec<_> = topic.partitions.into_iter().map(PartitionDocument::from).collect();
        Self { name: topic.name, records: partitions.iter().map(|it| it.records).sum(), partitions }
    }
}

impl From<PartitionContents> for PartitionDocument {
    fn from(PartitionContents { partition, first, next }: PartitionContents) -> Self {
        Self { partition, first, next, records: next - first }
    }
}

impl From<PageRecord> for RecordDocument {
    fn from(record: PageRecord) -> Self {
        Self {
            offset: record.offset,
            timestamp: Moment(record.timestamp.as_millis()),
            key: record.key,
            headers: record.headers.into_iter().map(|(name, value)| HeaderDocument { name, value }).collect(),
            schema_id: record.schema_id,
            value: record.value,
            problem: record.problem,
            bytes: record.bytes,
        }
    }
}
