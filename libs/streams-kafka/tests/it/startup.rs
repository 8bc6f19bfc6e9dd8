//! What is not there is waited for; what is wrong is said.

use streams_kafka::{Settings, Status};
use test_kit::eventually_blocking;

use crate::rig::{DEADLINE, Rig, TOTALS, await_status, await_total, plain_adder};

#[test]
fn a_topology_waits_for_topics_that_do_not_exist_yet_and_names_them() {
    let rig = Rig::bare();
    let streams = rig.start(plain_adder());
    let waiting = await_status(
        &streams,
        "it says what is missing",
        |status| matches!(status, Status::Waiting(what) if what.contains("adder-totals-changelog")),
    );
    assert!(waiting.to_string().contains("amounts"), "{waiting}");
    rig.create_topics(plain_adder());
    await_status(&streams, "it runs", |status| *status == Status::Running);
    rig.write([rig.encoded("a", 5)]);
    await_total(&streams.view(&TOTALS), "a", 5);
    streams.join();
}

#[test]
fn a_topology_waits_for_a_broker_and_says_so() {
    let mut rig = Rig::bare();
    // Nothing listens on this port.
    rig.settings = Settings { bootstrap_servers: "127.0.0.1:1".to_string(), ..rig.settings };
    let streams = rig.start(plain_adder());
    await_status(
        &streams,
        "it says what is missing",
        |status| matches!(status, Status::Waiting(what) if what.contains("127.0.0.1:1")),
    );
    streams.join();
}

#[test]
fn a_topic_with_other_partitions_than_declared_stops_it_with_a_sentence() {
    let rig = Rig::bare();
    rig.broker.create_topic(&rig.settings.topic("amounts"), 3, &[]).unwrap();
    let graph = plain_adder().build().unwrap();
    streams_kafka::create_topics(&rig.settings, &graph.describe().writes).unwrap();
    let streams = rig.start(plain_adder());
    let failed = await_status(&streams, "it stops", |status| matches!(status, Status::Failed(_)));
    assert!(failed.to_string().contains("has 3 partitions, declared are 4"), "{failed}");
}

#[test]
fn a_topic_with_another_cleanup_policy_than_declared_stops_it_with_a_sentence() {
    let rig = Rig::new(plain_adder());
    let changelog = rig.settings.topic("adder-totals-changelog");
    rig.broker.alter_topic(&changelog, &[("cleanup.policy", "delete")]).unwrap();
    let streams = rig.start(plain_adder());
    let failed = await_status(&streams, "it stops", |status| matches!(status, Status::Failed(_)));
    assert!(failed.to_string().contains("cleanup.policy=delete, declared is compact"), "{failed}");
}

#[test]
fn state_without_committed_offsets_stops_it_with_the_remedy() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    rig.write([rig.encoded("a", 5)]);
    await_total(&streams.view(&TOTALS), "a", 5);
    streams.join();
    let group = rig.settings.topic("adder");
    // A static member stays in the group until its session has ended.
    eventually_blocking("the group is deleted", DEADLINE, || rig.broker.delete_group(&group).ok());
    let streams = rig.start(plain_adder());
    let failed = await_status(&streams, "it stops", |status| matches!(status, Status::Failed(_)));
    assert!(failed.to_string().contains("no committed offsets"), "{failed}");
    assert_eq!(rig.sums(), [5], "nothing was processed twice");
}
