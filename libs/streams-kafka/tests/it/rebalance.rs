//! Partitions move between instances and threads: nothing is lost or said twice.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use streams_kafka::{KafkaStreams, Status, partition_of};
use test_kit::eventually_blocking;

use crate::rig::{DEADLINE, PROBE, Rig, TOTALS, await_status, plain_adder};

fn tills() -> Vec<String> {
    (0..40).map(|n| format!("till-{n}")).collect()
}

impl Rig {
    /// Adds an amount to every till.
    fn add_to_all(&self, cents: i64) {
        self.write(tills().iter().map(|till| self.encoded(till, cents)));
    }

    /// What was said of each till, in order.
    fn sums_by_till(&self) -> BTreeMap<String, Vec<i64>> {
        let mut sums: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for record in self.read("sums").into_iter().filter(|record| record.key_text() != PROBE) {
            sums.entry(record.key_text().to_string()).or_default().push(self.decoded(&record).cents);
        }
        sums
    }

    fn assert_every_till_says(&self, sums: &[i64]) {
        let said = self.sums_by_till();
        assert_eq!(said.len(), tills().len());
        said.into_iter().for_each(|(till, said)| assert_eq!(said, sums, "{till}"));
    }
}

/// The total of each till according to the instance that serves it.
fn totals(streams: &KafkaStreams) -> BTreeMap<String, i64> {
    let view = streams.view(&TOTALS);
    tills().into_iter().filter_map(|till| Some((till.clone(), view.get(&till).ok()??.cents))).collect()
}

/// Waits until every till is served by one of the instances, each by at least one, all with this total.
fn await_shared(instances: &[&KafkaStreams], cents: i64) {
    eventually_blocking("every till is served by one instance", DEADLINE, || {
        let totals: Vec<_> = instances.iter().map(|streams| totals(streams)).collect();
        let served: usize = totals.iter().map(BTreeMap::len).sum();
        let is_right = totals.iter().all(|totals| !totals.is_empty() && totals.values().all(|total| *total == cents));
        (served == tills().len() && is_right).then_some(())
    });
}

#[test]
fn instances_that_come_and_go_lose_and_double_nothing() {
    let rig = Rig::new(plain_adder());
    let one = rig.start_and_await(plain_adder());
    rig.add_to_all(5);
    await_shared(&[&one], 5);

    let other = rig.instance("1").start_and_await(plain_adder());
    await_shared(&[&one, &other], 5);
    rig.add_to_all(5);
    await_shared(&[&one, &other], 10);

    other.leave();
    await_status(&other, "it leaves", |status| *status == Status::Left);
    rig.add_to_all(5);
    await_shared(&[&one], 15);
    assert!(totals(&other).is_empty(), "who has left serves nothing");

    let other = rig.instance("1").start_and_await(plain_adder());
    await_shared(&[&one, &other], 15);
    one.join();
    // The one that is gone has not left: its slot is kept for the session, and then its partitions are taken over.
    rig.add_to_all(5);
    await_shared(&[&other], 20);
    other.join();
    rig.assert_every_till_says(&[5, 10, 15, 20]);
}

#[test]
fn a_task_that_comes_back_goes_on_without_its_changelog() {
    let rig = Rig::new(plain_adder());
    let one = rig.start_and_await(plain_adder());
    rig.add_to_all(5);
    await_shared(&[&one], 5);
    rig.truncate_changelog();

    let other = rig.instance("1").start(plain_adder());
    let failed = await_status(&other, "it stops", |status| matches!(status, Status::Failed(_)));
    assert!(failed.to_string().contains("begins at offset"), "who has nothing else cannot go on: {failed}");
    let kept = eventually_blocking("the other tasks are back", DEADLINE, || {
        Some(totals(&one)).filter(|totals| !totals.is_empty())
    });
    assert!(kept.len() < tills().len() && kept.values().all(|total| *total == 5), "{kept:?}");
    one.join();
}

#[test]
fn a_share_that_cannot_be_restored_yet_does_not_hold_up_the_others() {
    let rig = Rig::new(plain_adder());
    // As if somebody had died in the middle of a transaction: until it is over, nobody knows what the changelog says.
    let dying: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &rig.settings.bootstrap_servers)
        .set("transactional.id", rig.settings.topic("dying"))
        .create()
        .unwrap();
    dying.init_transactions(DEADLINE).unwrap();
    dying.begin_transaction().unwrap();
    let changelog = rig.settings.topic("adder-totals-changelog");
    let stuck = partition_of("till-0", 4);
    let never = rig.encoded("till-0", 1000).value.unwrap();
    dying.send(BaseRecord::to(&changelog).partition(stuck).key("till-0").payload(&never)).unwrap();
    dying.flush(DEADLINE).unwrap();

    let streams = rig.start(plain_adder());
    rig.add_to_all(5);
    let others = tills().into_iter().filter(|till| partition_of(till, 4) != stuck).count();
    eventually_blocking("the others go on", DEADLINE, || (totals(&streams).len() == others).then_some(()));
    assert!(matches!(*streams.status().borrow(), Status::Restoring(_)), "{}", *streams.status().borrow());

    dying.abort_transaction(DEADLINE).unwrap();
    await_shared(&[&streams], 5);
    streams.join();
    rig.assert_every_till_says(&[5]);
}

#[test]
fn several_threads_share_the_partitions_of_one_process() {
    let mut rig = Rig::new(plain_adder());
    rig.settings.stream_threads = 3;
    let streams = rig.start_and_await(plain_adder());
    rig.add_to_all(5);
    await_shared(&[&streams], 5);
    streams.join();
    // In their slots the first thread comes back at once; the others' are given to it when their sessions are over.
    rig.settings.stream_threads = 1;
    let streams = rig.start(plain_adder());
    rig.add_to_all(5);
    await_shared(&[&streams], 10);
    streams.join();
    rig.assert_every_till_says(&[5, 10]);
}

#[test]
fn of_two_processes_in_one_slot_the_older_one_stops_and_says_why() {
    let rig = Rig::new(plain_adder());
    let older = rig.start_and_await(plain_adder());
    rig.add_to_all(5);
    await_shared(&[&older], 5);
    let newer = rig.start(plain_adder());
    let failed = await_status(&older, "it stops", |status| matches!(status, Status::Failed(_)));
    assert!(failed.to_string().contains("in this instance's slot"), "{failed}");
    rig.add_to_all(5);
    await_shared(&[&newer], 10);
    newer.join();
    rig.assert_every_till_says(&[5, 10]);
}
