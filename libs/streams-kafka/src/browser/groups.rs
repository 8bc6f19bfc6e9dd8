use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::groups::{GroupInfo, GroupMemberInfo};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::offsets::Partition;
use super::{BrowseError, Deadline, Shared};
use crate::Settings;
use crate::client_log::ClientLog;
use crate::owners;

/// A consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The name, without the prefix of the system.
    pub name: String,
    /// As the broker calls it: `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Dead`.
    pub state: String,
    /// Who belongs to it, by name.
    pub members: Vec<GroupMember>,
    /// What its members read; while nobody has any, what the group has read so far.
    pub partitions: Vec<GroupPartition>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// The address that the instance advertises, or else what the client calls itself.
    pub name: String,
    /// How many partitions it has.
    pub partitions: usize,
}

/// How far a group is in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPartition {
    /// The topic, without the prefix of the system.
    pub topic: String,
    /// The number of the partition.
    pub partition: i32,
    /// The offset to go on from; none, if none was committed. A sink, for one, keeps its own positions.
    pub position: Option<i64>,
    /// The offset behind the last record.
    pub end: i64,
    /// The name of the member that has it.
    pub member: Option<String>,
}

/// Committed positions, asked for in the name of each group: so wants it the client library, which therefore has a client
/// for each. They are kept.
#[derive(Default)]
pub(super) struct Committed(Mutex<HashMap<String, Arc<BaseConsumer<ClientLog>>>>);

/// A group as the broker describes it; topics have the names they have there.
struct Described {
    name: String,
    state: String,
    members: Vec<GroupMember>,
    partitions: BTreeMap<Partition, String>,
}

impl GroupPartition {
    /// How many offsets there are still to read, if that is known.
    pub fn lag(&self) -> Option<i64> {
        self.position.map(|position| self.end.saturating_sub(position).max(0))
    }
}

impl Shared {
    pub(super) fn groups(&self, deadline: Deadline) -> Result<Vec<Group>, BrowseError> {
        let existing: BTreeSet<Partition> = self.topics(deadline)?.into_values().flatten().collect();
        let listed = self.client.fetch_group_list(None, deadline.left());
        self.let_speak();
        let listed = listed.map_err(|error| self.unavailable(&error))?;
        let ours = listed.groups().iter().filter(|group| self.visible(group.name()).is_some());
        let mut described: Vec<Described> = ours.map(|group| Described::of(group, &existing)).collect();
        described.sort_by(|a, b| a.name.cmp(&b.name));
        let groups = self.positions(described, &existing, deadline)?;

        let read: BTreeSet<Partition> = groups.iter().flat_map(|(_, positions)| positions.keys()).cloned().collect();
        let read: Vec<Partition> = read.into_iter().collect();
        let reader = self.readers.lend(deadline).map_err(|error| self.unavailable(&error))?;
        let reader = reader.ok_or(BrowseError::Busy)?;
        let ends = self.ends.of(&self.client, &reader, &read, deadline).map_err(|error| self.unavailable(&error))?;
        Ok(groups.into_iter().map(|(group, positions)| self.group(group, &positions, &ends)).collect())
    }

    /// Each group with the partitions that matter to it, and the positions that are committed there.
    #[expect(clippy::type_complexity, reason = "a group and its positions")]
    fn positions(
        &self,
        groups: Vec<Described>,
        existing: &BTreeSet<Partition>,
        deadline: Deadline,
    ) -> Result<Vec<(Described, BTreeMap<Partition, Option<i64>>)>, BrowseError> {
        let unavailable = |error| self.unavailable(&error);
        self.committed.connect(&self.settings, groups.iter().map(|group| &*group.name)).map_err(unavailable)?;
        let with_positions = |group: Described| {
            let is_assigned = !group.partitions.is_empty();
            let asked: Vec<&Partition> =
                if is_assigned { group.partitions.keys().collect() } else { existing.iter().collect() };
            let mut positions = self.committed.of(&group.name, &asked, deadline)?;
            positions.retain(|_, position| is_assigned || position.is_some());
            Ok((group, positions))
        };
        groups.into_iter().map(with_positions).collect::<KafkaResult<_>>().map_err(unavailable)
    }

    fn group(
        &self,
        group: Described,
        positions: &BTreeMap<Partition, Option<i64>>,
        ends: &HashMap<Partition, i64>,
    ) -> Group {
        let partition = |(at, position): (&Partition, &Option<i64>)| {
            Some(GroupPartition {
                topic: self.visible(&at.0)?.to_string(),
                partition: at.1,
                position: *position,
                end: *ends.get(at)?,
                member: group.partitions.get(at).cloned(),
            })
        };
        Group {
            partitions: positions.iter().filter_map(partition).collect(),
            name: self.visible(&group.name).unwrap_or_default().to_string(),
            state: group.state,
            members: group.members,
        }
    }
}

impl Described {
    fn of(group: &GroupInfo, existing: &BTreeSet<Partition>) -> Self {
        let (mut members, mut partitions) = (Vec::new(), BTreeMap::new());
        for member in group.members() {
            let name = name(member);
            let mut assigned = member.assignment().and_then(owners::partitions).unwrap_or_default();
            assigned.retain(|at| existing.contains(at));
            members.push(GroupMember { name: name.clone(), partitions: assigned.len() });
            partitions.extend(assigned.into_iter().map(|at| (at, name.clone())));
        }
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Self { name: group.name().to_string(), state: group.state().to_string(), members, partitions }
    }
}

fn name(member: &GroupMemberInfo) -> String {
    let advertised = member.metadata().and_then(owners::rack).map(|name| owners::url(&name).to_string());
    advertised.filter(|name| !name.is_empty()).unwrap_or_else(|| member.client_id().to_string())
}

impl Committed {
    /// Sets up what is needed to ask for these groups, and forgets the others. They all connect at the same time.
    fn connect<'g>(&self, settings: &Settings, groups: impl Iterator<Item = &'g str>) -> KafkaResult<()> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *clients);
        for group in groups {
            let client = match before.remove(group) {
                Some(client) => client,
                None => {
                    let mut config = settings.client();
                    // Also what a transaction that is not over is about to move is told as it is.
                    config.set("group.id", group).set("isolation.level", "read_uncommitted");
                    config.set("enable.auto.commit", "false");
                    Arc::new(config.create_with_context(ClientLog::default())?)
                }
            };
            clients.insert(group.to_string(), client);
        }
        Ok(())
    }

    /// The position that the group has committed in each of these partitions, if any.
    fn of(
        &self,
        group: &str,
        partitions: &[&Partition],
        deadline: Deadline,
    ) -> KafkaResult<BTreeMap<Partition, Option<i64>>> {
        let client = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(group).cloned();
        let Some(client) = client.filter(|_| !partitions.is_empty()) else { return Ok(BTreeMap::new()) };
        let mut asked = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            asked.add_partition(topic, *partition);
        }
        let committed = client.committed_offsets(asked, deadline.left());
        while client.poll(Duration::ZERO).is_some() {}
        let mut positions = BTreeMap::new();
        for element in committed?.elements() {
            element.error()?;
            let position = if let Offset::Offset(position) = element.offset() { Some(position) } else { None };
            positions.insert((element.topic().to_string(), element.partition()), position);
        }
        Ok(positions)
    }
}
