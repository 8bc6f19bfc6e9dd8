//! Who reads what, and how far it is.

use std::collections::{BTreeMap, HashMap};
use std::panic::resume_unwind;

use serde::Serialize;

use service_kit::{BrowseError, Browser, Context, Group, Reading};
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use crate::db::read::{Positions, Reads};
use crate::options::Options;

/// Looks at all groups, and completes what the broker does not know: how far this service is stands in its own tables.
#[derive(Clone, Debug)]
pub struct Cluster {
    browser: Browser,
    reads: Reads,
}

/// All groups of instances that share the partitions of topics.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClusterDocument {
    groups: Vec<GroupDocument>,
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
struct GroupDocument {
    group: String,
    #[schema(example = "Stable")]
    state: String,
    /// Records that are written and not done yet; null if it is kept elsewhere how far the group is
    lag: Option<i64>,
    members: Vec<MemberDocument>,
    partitions: Vec<PartitionDocument>,
}

/// An instance, or one of its threads.
#[derive(Debug, Serialize, ToSchema)]
struct MemberDocument {
    name: String,
    /// How many it has
    partitions: usize,
}

/// How far a group is in a partition.
#[derive(Debug, Serialize, ToSchema)]
struct PartitionDocument {
    topic: String,
    partition: i32,
    /// What is done next; null if it is kept elsewhere
    position: Option<i64>,
    /// Behind the last record
    end: i64,
    lag: Option<i64>,
    /// Who has it
    member: Option<String>,
}

impl ClusterDocument {
    /// How much each group has to do in each partition, where that is known.
    pub fn lags(&self) -> Vec<Reading> {
        let mut lags = Vec::new();
        for group in &self.groups {
            for at in &group.partitions {
                let Some(lag) = at.lag.and_then(|lag| u64::try_from(lag).ok()) else { continue };
                let partition = at.partition.to_string();
                let labels = [("consumergroup", &*group.group), ("topic", &*at.topic), ("partition", &*partition)];
                lags.push(Reading::new(lag, labels));
            }
        }
        lags
    }

    /// How many members each group has.
    pub fn member_counts(&self) -> Vec<Reading> {
        let count = |group: &GroupDocument| Reading::new(group.members.len() as u64, [("consumergroup", &group.group)]);
        self.groups.iter().map(count).collect()
    }

    /// Where each partition ends that somebody reads.
    pub fn ends(&self) -> Vec<Reading> {
        let partitions = self.groups.iter().flat_map(|group| &group.partitions);
        let ends: BTreeMap<_, _> = partitions.map(|at| ((&at.topic, at.partition), at.end)).collect();
        let end = |((topic, partition), end): ((&String, i32), i64)| {
            let partition = partition.to_string();
            Some(Reading::new(u64::try_from(end).ok()?, [("topic", topic), ("partition", &partition)]))
        };
        ends.into_iter().filter_map(end).collect()
    }
}

/// The group of this service.
const OWN: &str = "views-sink";

impl Cluster {
    pub fn new(context: &Context<Options>, reads: Reads) -> Self {
        Self { browser: context.browser(), reads }
    }

    /// Looks at all groups.
    ///
    /// # Errors
    /// The broker does not answer.
    pub async fn look(&self) -> Result<ClusterDocument, BrowseError> {
        let groups = looked(&self.browser, Browser::groups);
        // Without the database there is less to be seen, but not nothing.
        let (groups, own) = tokio::join!(groups, self.reads.ask(&Positions));
        let own = own.unwrap_or_default().into_iter().map(|(topic, partition, next)| ((topic, partition), next));
        let own = own.collect();
        let groups = groups?.into_iter().map(|group| document(group, &own)).collect();
        Ok(ClusterDocument { groups })
    }
}

/// Has a look, from a thread that may wait.
///
/// # Errors
/// What the look says.
pub async fn looked<T: Send + 'static>(
    browser: &Browser,
    look: impl FnOnce(&Browser) -> Result<T, BrowseError> + Send + 'static,
) -> Result<T, BrowseError> {
    let browser = browser.clone();
    match spawn_blocking(move || look(&browser)).await {
        Ok(seen) => seen,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The process is about to end.
            Err(_) => Err(BrowseError::Busy),
        },
    }
}

/// What is said of it outside.
pub fn reason(error: &BrowseError) -> String {
    match error {
        BrowseError::Unavailable { .. } => "the broker does not answer".to_string(),
        error => error.to_string(),
    }
}

fn document(group: Group, own: &HashMap<(String, i32), i64>) -> GroupDocument {
    let partitions = group.partitions.into_iter().map(|at| {
        let kept = if group.name == OWN { own.get(&(at.topic.clone(), at.partition)).copied() } else { None };
        let position = at.position.or(kept);
        PartitionDocument {
            lag: position.map(|position| at.end.saturating_sub(position).max(0)),
            topic: at.topic,
            partition: at.partition,
            position,
            end: at.end,
            member: at.member,
        }
    });
    let partitions: Vec<_> = partitions.collect();
    let lags = partitions.iter().filter_map(|partition| partition.lag);
    GroupDocument {
        group: group.name,
        state: group.state,
        lag: lags.reduce(i64::saturating_add),
        members: group
            .members
            .into_iter()
            .map(|it| MemberDocument { name: it.name, partitions: it.partitions })
            .collect(),
        partitions,
    }
}
