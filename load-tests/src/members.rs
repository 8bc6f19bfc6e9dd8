use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use streams::DEFAULT_PARTITIONS;

use crate::bare::CALL_TIMEOUT;
use crate::ground::Ground;
use crate::pace::pause;

/// The partitions that the first and the second instance of a service have.
pub(crate) type Shares = [BTreeSet<i32>; 2];

/// Waits until two instances share the partitions of a service, and tells how.
pub(crate) fn await_shares(ground: &Ground, service: &str) -> anyhow::Result<Shares> {
    const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(30);
    let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", &ground.bootstrap).create()?;
    let began = Instant::now();
    loop {
        let shares = shares(&client, service)?;
        if shares.iter().map(BTreeSet::len).sum::<usize>() == DEFAULT_PARTITIONS as usize
            && shares.iter().all(|share| !share.is_empty())
        {
            return Ok(shares);
        }
        ensure!(
            began.elapsed() < LONGEST,
            "two instances of {service} do not share its partitions, but have {shares:?}"
        );
        pause(&ground.interrupt, BETWEEN_LOOKS)?;
    }
}

/// What the broker says; nothing while the group changes.
fn shares(client: &BaseConsumer, service: &str) -> anyhow::Result<Shares> {
    let described = client.fetch_group_list(Some(service), CALL_TIMEOUT)?;
    let mut shares = Shares::default();
    for group in described.groups().iter().filter(|group| group.state() == "Stable") {
        for member in group.members() {
            for (slot, share) in shares.iter_mut().enumerate() {
                // The broker makes the id of a static member from its `group.instance.id`: service, slot, thread.
                if member.id().starts_with(&format!("{service}-{slot}-0-")) {
                    share.extend(partitions(member.assignment().unwrap_or_default()).context("an assignment")?);
                }
            }
        }
    }
    Ok(shares)
}

/// The partitions in an assignment of the consumer protocol: a version, and topics, each with its partitions.
fn partitions(assignment: &[u8]) -> Option<BTreeSet<i32>> {
    let mut found = BTreeSet::new();
    let (_version, rest) = assignment.split_first_chunk::<2>()?;
    let (topics, mut rest) = rest.split_first_chunk()?;
    for _ in 0..i32::from_be_bytes(*topics) {
        let (length, named) = rest.split_first_chunk()?;
        let (numbers, mut list) = named.get(usize::from(u16::from_be_bytes(*length))..)?.split_first_chunk()?;
        for _ in 0..i32::from_be_bytes(*numbers) {
            let (number, others) = list.split_first_chunk()?;
            found.insert(i32::from_be_bytes(*number));
            list = others;
        }
        rest = list;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partitions_of_all_topics_are_found_in_an_assignment() {
        let assignment = [
            &[0, 1][..],
            &[0, 0, 0, 2],
            &[0, 1, b'a', 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3],
            &[0, 2, b'b', b'c', 0, 0, 0, 1, 0, 0, 0, 3],
            &[0xff, 0xff, 0xff, 0xff],
        ]
        .concat();
        assert_eq!(partitions(&assignment), Some(BTreeSet::from([2, 3])));
        assert_eq!(partitions(&assignment[..20]), None, "the end is missing");
    }
}
