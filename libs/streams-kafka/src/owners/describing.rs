use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::groups::GroupInfo;

use super::Described;
use super::consumer_protocol::{partitions, rack};
use crate::Settings;
use crate::client_log::ClientLog;
use crate::view::Shares;

/// How long one answer of the broker is waited for. Longer would not help: the description would be too old by then.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two questions as long as nobody knows who owns what.
const UNSETTLED_INTERVAL: Duration = Duration::from_millis(100);

/// Asks the broker again and again who owns which partition, on a thread of its own, until [`Owners::end`].
///
/// [`Owners::end`]: super::Owners::end
pub(crate) fn describe(shares: Arc<Shares>, settings: Settings, group: &str) -> io::Result<()> {
    let (name, group) = (format!("{group}-owners"), settings.topic(group));
    thread::Builder::new().name(name).spawn(move || work(&shares, &settings, &group)).map(drop)
}

fn work(shares: &Shares, settings: &Settings, group: &str) {
    let mut client = None;
    let mut has_warned = false;
    while !shares.owners().is_over() {
        let described = described(&mut client, shares, settings, group);
        if let Err(error) = &described {
            tracing::debug!(%error, "the group cannot be described");
        }
        if !has_warned && shares.owners().is_doubled() {
            has_warned = true;
            tracing::warn!(
                "two instances of the group advertise the same address, and cannot ask each other: give each its own \
                 --advertised-url"
            );
        }
        let interval = match described {
            Ok(true) => super::REFRESH_INTERVAL,
            Ok(false) | Err(_) => UNSETTLED_INTERVAL,
        };
        shares.owners().await_question(interval);
    }
}

/// Passes on who owns what; false if the group is not stable.
fn described(
    client: &mut Option<BaseConsumer<ClientLog>>,
    shares: &Shares,
    settings: &Settings,
    group: &str,
) -> KafkaResult<bool> {
    let client = match client {
        Some(client) => client,
        None => client.insert(settings.reader("read_committed").create_with_context(ClientLog::default())?),
    };
    let asked_at = Some(shares.owners().now());
    let groups = client.fetch_group_list(Some(group), ANSWER_TIMEOUT);
    // What the client has to say piles up unless it is taken.
    while client.poll(Duration::ZERO).is_some() {}
    let groups = groups?;
    let Some(stable) = groups.groups().iter().find(|it| it.name() == group && it.state() == "Stable") else {
        return Ok(false);
    };
    shares.described(Described { asked_at, members: members(stable) });
    Ok(true)
}

/// The member that has each partition.
fn members(group: &GroupInfo) -> HashMap<String, HashMap<i32, String>> {
    let mut members: HashMap<String, HashMap<i32, String>> = HashMap::new();
    for member in group.members() {
        let assigned = member.assignment().and_then(partitions).unwrap_or_default();
        let Some(name) = member.metadata().and_then(rack) else { continue };
        for (topic, partition) in assigned {
            members.entry(topic).or_default().insert(partition, name.clone());
        }
    }
    members
}
