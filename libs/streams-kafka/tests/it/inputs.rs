//! Instances of a service that read different topics, as they do while it is changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use streams::{Topic, Topology};
use streams_kafka::{Status, View, partition_of};
use test_kit::eventually_blocking;

use crate::aborts::fence;
use crate::rig::{AMOUNTS, Amount, DEADLINE, Gate, Rig, SUMS, TOTALS, await_status, await_total, plain_adder};

const EXTRAS: Topic<Amount> = Topic::new("extras", "tills", |amount| amount.till.clone());

/// Adds up what comes from two topics.
fn adder_of_two() -> Topology {
    let topology = Topology::new("adder");
    topology
        .stream(&AMOUNTS)
        .merge(topology.stream(&EXTRAS))
        .process(&TOTALS, |amount, totals| {
            let before = totals.get(amount.key).map_or(0, |total| total.cents);
            let total = Amount { cents: before + amount.cents, ..amount.value.clone() };
            totals.put(amount.key, &total);
            [total]
        })
        .to(&SUMS);
    topology
}

/// A till in each partition.
fn tills() -> Vec<String> {
    (0..4)
        .map(|partition| {
            let is_here = |till: &String| partition_of(till, 4) == partition;
            (0..).map(|number| format!("till-{number}")).find(is_here).expect("one in four is")
        })
        .collect()
}

fn write(rig: &Rig, topic: &str, cents: i64) {
    let amounts = tills().into_iter().map(|till| rig.encoded(&till, cents));
    rig.broker.write(&rig.settings.topic(topic), amounts).unwrap();
}

fn await_totals(view: &View<Amount>, cents: i64) {
    tills().iter().for_each(|till| await_total(view, till, cents));
}

#[test]
fn an_input_that_is_added_is_read_after_a_restart_in_the_same_slot() {
    let rig = Rig::new(plain_adder());
    rig.create_topics(adder_of_two());
    let before = rig.start_and_await(plain_adder());
    write(&rig, "amounts", 1);
    await_totals(&before.view(&TOTALS), 1);
    before.join();

    let after = rig.start_and_await(adder_of_two());
    write(&rig, "extras", 10);
    await_totals(&after.view(&TOTALS), 11);
    after.join();
}

#[test]
fn of_instances_that_read_different_topics_none_works_on_half_a_task() {
    let rig = Rig::new(plain_adder());
    rig.create_topics(adder_of_two());
    let old = rig.instance("1").start_and_await(plain_adder());
    let new = rig.start(adder_of_two());
    await_status(
        &new,
        "it says what is wrong",
        |status| matches!(status, Status::Waiting(why) if why.contains("give all of them the same options")),
    );
    write(&rig, "amounts", 1);
    write(&rig, "extras", 10);
    rig.await_sums(4);

    old.leave();
    await_status(&old, "it has left", |status| *status == Status::Left);
    await_status(&new, "it has all inputs", |status| *status == Status::Running);
    await_totals(&new.view(&TOTALS), 11);
    old.join();
    new.join();
}

#[test]
fn what_comes_first_comes_first_again_when_its_epoch_is_aborted() {
    const SEEN: Topic<Amount> = Topic::new("seen", "follower", |amount| amount.till.clone());
    let (gate, is_first) = (Gate::default(), Arc::new(AtomicBool::new(true)));
    let follower = || {
        let (gate, is_first) = (gate.clone(), is_first.clone());
        let topology = Topology::new("follower");
        let sums = topology.bootstrap(&SUMS).map(|sum| (true, sum.value.clone()));
        let amounts = topology.stream(&AMOUNTS).map(|amount| (false, amount.value.clone()));
        sums.merge(amounts)
            .process(&TOTALS, move |record, totals| {
                let (is_sum, value) = record.value;
                if *is_sum {
                    totals.put(record.key, value);
                } else if is_first.swap(false, Ordering::AcqRel) {
                    gate.stand();
                }
                (!is_sum).then(|| totals.get(record.key).unwrap_or_default())
            })
            .to(&SEEN);
        topology
    };
    let mut rig = Rig::new(plain_adder());
    rig.create_topics(follower());
    let adder = rig.start(plain_adder());
    rig.write((0..400).map(|_| rig.encoded("a", 1)));
    rig.await_sums(400);
    adder.join();

    // The sums are still uncommitted when the first amount is read.
    rig.settings.commit_interval = DEADLINE;
    let follower = rig.start(follower());
    gate.await_arrival();
    fence(&rig, "follower-0-0");
    gate.open();
    let seen = eventually_blocking("all amounts are through", DEADLINE, || {
        Some(rig.read("seen")).filter(|seen| seen.len() >= 400)
    });
    assert!(seen.iter().all(|record| rig.decoded(record).cents == 400), "each amount has seen the last sum");
    follower.join();
}
