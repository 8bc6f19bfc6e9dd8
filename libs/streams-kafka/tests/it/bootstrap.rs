//! Inputs that are read before others, and stores that are topics.

use std::sync::LazyLock;

use streams::{Store, Topic, Topology};
use test_kit::{RawRecord, eventually_blocking};

use crate::rig::{AMOUNTS, Amount, DEADLINE, Rig, SUMS, await_total, plain_adder};

const SEEN: Topic<Amount> = Topic::new("seen", "follower", |amount| amount.till.clone());
const RATES: Topic<Amount> = Topic::new("rates", "banks", |rate: &Amount| rate.till.clone()).compacted();
const LATEST: Store<Amount> = Store::new("latest");
static BOARD: LazyLock<Topic<Amount>> =
    LazyLock::new(|| Topic::new("board", "follower", |amount: &Amount| amount.till.clone()).compacted());

/// Says of each amount which sum of its till it has seen before.
fn follower() -> Topology {
    let topology = Topology::new("follower");
    let sums = topology.bootstrap(&SUMS).map(|sum| (true, sum.value.clone()));
    let amounts = topology.stream(&AMOUNTS).map(|amount| (false, amount.value.clone()));
    sums.merge(amounts)
        .process(&LATEST, |record, latest| {
            let (is_sum, value) = record.value;
            if *is_sum {
                latest.put(record.key, value);
            }
            (!is_sum).then(|| latest.get(record.key).unwrap_or_default())
        })
        .to(&SEEN);
    topology
}

/// Multiplies each amount with the rate of its till, and keeps the last result where all can see it.
fn exchange() -> Topology {
    let topology = Topology::new("follower");
    let (rates, _) = topology.table(&RATES);
    topology
        .stream(&AMOUNTS)
        .join(&rates, |amount, rate| Amount { cents: amount.cents * rate.cents, ..amount.value.clone() })
        .process(&Store::published(&BOARD), |amount, board| {
            board.put(amount.key, amount.value);
            [amount.value.clone()]
        })
        .to(&SEEN);
    topology
}

fn seen(rig: &Rig, count: usize) -> Vec<i64> {
    let seen = eventually_blocking("all amounts are through", DEADLINE, || {
        Some(rig.read("seen")).filter(|seen| seen.len() >= count)
    });
    seen.iter().map(|record| rig.decoded(record).cents).collect()
}

#[test]
fn what_is_in_a_bootstrap_stream_is_read_before_the_other_inputs() {
    let rig = Rig::new(plain_adder());
    rig.create_topics(follower());
    // A few amounts of each till, and a long history of sums, which ends with the marker of a transaction.
    let adder = rig.start(plain_adder());
    let amounts: Vec<RawRecord> = (0..2_000).map(|n| rig.encoded(&format!("till-{}", n % 8), 1)).collect();
    rig.write(amounts.clone());
    rig.await_sums(2_000);
    adder.join();
    let follower = rig.start_and_await(follower());
    assert_eq!(seen(&rig, 2_000), vec![250; 2_000], "each amount has seen the last sum of its till");
    follower.join();
}

#[test]
fn a_task_without_anything_to_read_first_does_not_wait() {
    let rig = Rig::new(plain_adder());
    rig.create_topics(follower());
    let follower = rig.start_and_await(follower());
    rig.write([rig.encoded("a", 1)]);
    assert_eq!(seen(&rig, 1), [0]);
    follower.join();
}

#[test]
fn a_restarted_join_reads_the_rates_of_the_meantime_first_and_goes_on_from_its_topic() {
    let rig = Rig::new(exchange());
    let set = |rates: std::ops::RangeInclusive<i64>| {
        let rates = rates.map(|cents| rig.encoded("a", cents));
        rig.broker.write(&rig.settings.topic("rates"), rates).unwrap();
    };
    set(2..=2);
    let first = rig.start_and_await(exchange());
    rig.write([rig.encoded("a", 5)]);
    assert_eq!(seen(&rig, 1), [10]);
    first.join();
    rig.write([rig.encoded("a", 7)]);
    set(3..=500);
    let second = rig.start(exchange());
    assert_eq!(seen(&rig, 2), [10, 3500]);
    await_total(&second.view(&Store::published(&BOARD)), "a", 3500);
    second.join();

    let board = rig.read("board");
    let values: Vec<i64> = board.iter().map(|record| rig.decoded(record).cents).collect();
    assert_eq!(values, [10, 3500], "the store is the topic");
    assert!(board.iter().all(|record| record.headers.iter().any(|(name, _)| name == "processed-at")));
    let third = rig.start_and_await(exchange());
    await_total(&third.view(&Store::published(&BOARD)), "a", 3500);
    third.join();
}
