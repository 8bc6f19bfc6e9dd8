//! Windowed joins of two streams: who meets whom, who stays alone, what is kept.
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod porter;
mod replay;
mod traces;

use streams::{Refusal, TestDriver, Timestamp, Topology, TopologyError};

use porter::Do::{self, Knock, Ring};
use porter::{CALLS, KNOCKS, Porter, RINGS, WINDOW, call, inner, outer, visit};

fn calls(driver: &mut TestDriver, doings: &[Do]) -> Vec<String> {
    for doing in doings {
        match doing {
            Knock(at, name) => driver.pipe_at(&KNOCKS, Timestamp(*at), &visit("a", name)),
            Ring(at, name) => driver.pipe_at(&RINGS, Timestamp(*at), &visit("a", name)),
        }
    }
    driver.read(&CALLS).into_iter().map(|call| call.name).collect()
}

fn calls_of(topology: Topology, doings: &[Do]) -> Vec<String> {
    calls(&mut TestDriver::new(topology).unwrap(), doings)
}

/// Moves stream time by a knock at another door, which stays out of what is read.
fn pass_time(driver: &mut TestDriver, until: i64) -> Vec<String> {
    driver.pipe_at(&KNOCKS, Timestamp(until), &visit("far", "-"));
    driver.read(&CALLS).into_iter().filter(|call| call.door != "far").map(|call| call.name).collect()
}

#[test]
fn two_records_of_one_key_meet_whichever_comes_first() {
    for topology in [inner, outer] {
        assert_eq!(calls_of(topology(), &[Knock(1000, "k"), Ring(1050, "r")]), ["k+r"]);
        assert_eq!(calls_of(topology(), &[Ring(1000, "r"), Knock(1050, "k")]), ["k+r"]);
    }
}

#[test]
fn records_of_different_keys_do_not_meet() {
    let mut driver = TestDriver::new(outer()).unwrap();
    driver.pipe_at(&KNOCKS, Timestamp(1000), &visit("a", "k"));
    driver.pipe_at(&RINGS, Timestamp(1000), &visit("b", "r"));
    assert!(driver.read(&CALLS).is_empty());
}

#[test]
fn a_key_that_contains_another_one_and_a_zero_byte_is_a_key_of_its_own() {
    let mut driver = TestDriver::new(outer()).unwrap();
    let tricky = format!("a\0{:016x}", (1_000_u64) ^ (1 << 63));
    driver.pipe_at(&KNOCKS, Timestamp(1000), &visit(&tricky, "k"));
    driver.pipe_at(&RINGS, Timestamp(1000), &visit("a", "r"));
    assert!(driver.read(&CALLS).is_empty());
    driver.pipe_at(&RINGS, Timestamp(1000), &visit(&tricky, "r"));
    assert_eq!(driver.read(&CALLS), [visit(&tricky, "k+r")]);
}

#[test]
fn records_meet_at_the_ends_of_the_window_and_not_one_past_them() {
    assert_eq!(calls_of(inner(), &[Knock(1000, "k"), Ring(1100, "r")]), ["k+r"]);
    assert_eq!(calls_of(inner(), &[Ring(1000, "r"), Knock(1100, "k")]), ["k+r"]);
    assert_eq!(calls_of(inner(), &[Knock(1000, "k"), Ring(900, "r")]), ["k+r"]);
    assert!(calls_of(inner(), &[Knock(1000, "k"), Ring(1101, "r")]).is_empty());
    assert!(calls_of(inner(), &[Ring(1000, "r"), Knock(1101, "k")]).is_empty());
    assert!(calls_of(inner(), &[Knock(1000, "k"), Ring(899, "r")]).is_empty());
}

#[test]
fn a_pair_is_said_under_the_later_of_the_two_timestamps_and_one_alone_under_its_own() {
    let mut porter = Porter::new();
    porter
        .hear(Knock(1000, "k"))
        .hear(Ring(950, "r"))
        .hear(Knock(1040, "l"))
        .hear(Knock(2000, "m"))
        .hear(Ring(3000, "s"));
    let said: Vec<(i64, String)> = porter.said();
    assert_eq!(said, [(1000, "k+r".into()), (1040, "l+r".into()), (2000, "m+".into())]);
}

#[test]
fn a_record_out_of_order_meets_what_is_within_its_reach_until_the_grace_is_over() {
    // At 1150 a record of 1000 is within window and grace (1000 + 100 + 50).
    assert_eq!(calls_of(outer(), &[Knock(999, "k"), Knock(1150, "now"), Ring(1000, "r")]), ["k+"], "it has left");
    assert_eq!(calls_of(outer(), &[Knock(1000, "k"), Knock(1150, "now"), Ring(1000, "r")]), ["k+r"]);
    assert_eq!(calls_of(outer(), &[Knock(1000, "k"), Knock(1150, "now"), Ring(1099, "r")]), ["k+r", "now+r"]);
}

#[test]
fn a_record_that_is_later_than_window_and_grace_is_alone_at_once_and_not_kept() {
    let mut driver = TestDriver::new(outer()).unwrap();
    assert_eq!(calls(&mut driver, &[Knock(1090, "k"), Knock(1151, "now"), Ring(1000, "late")]), ["+late"]);
    assert_eq!(calls(&mut driver, &[Ring(1100, "r")]), ["k+r", "now+r"]);
    assert_eq!(calls(&mut driver, &[Knock(1000, "late, too")]), ["late, too+"]);
    assert_eq!(pass_time(&mut driver, 5000), Vec::<String>::new(), "all that was kept has met another");
}

#[test]
fn in_an_inner_join_a_record_that_is_too_late_is_refused() {
    let mut driver = TestDriver::new(inner()).unwrap();
    assert!(calls(&mut driver, &[Knock(1151, "now"), Ring(1001, "just"), Ring(1000, "late")]).is_empty());
    let dead = driver.dead_letters();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].topic.as_str(), &dead[0].cause), ("rings", &Refusal::Late("heard".into())));
}

#[test]
fn several_records_of_one_key_meet_each_of_the_other_side_that_is_within_reach() {
    let doings = [Knock(1000, "k"), Knock(1060, "l"), Ring(1090, "r"), Ring(1101, "s"), Knock(1090, "m")];
    assert_eq!(calls_of(inner(), &doings), ["k+r", "l+r", "l+s", "m+r", "m+s"]);
}

#[test]
fn equal_records_are_records_of_their_own() {
    let doings = [Knock(1000, "k"), Knock(1000, "k"), Ring(1000, "r"), Ring(1000, "r")];
    assert_eq!(calls_of(inner(), &doings), ["k+r"; 4]);
    let mut driver = TestDriver::new(outer()).unwrap();
    assert!(calls(&mut driver, &[Knock(1000, "k"), Knock(1000, "k")]).is_empty());
    assert_eq!(pass_time(&mut driver, 5000), ["k+", "k+"]);
}

#[test]
fn a_record_that_has_met_none_is_alone_once_one_millisecond_after_window_and_grace() {
    let mut driver = TestDriver::new(outer()).unwrap();
    assert!(calls(&mut driver, &[Knock(1000, "k"), Ring(1000, "r"), Ring(1050, "s"), Ring(1101, "t")]).len() == 2);
    assert!(pass_time(&mut driver, 1251).is_empty(), "the last one may still be met");
    assert_eq!(pass_time(&mut driver, 1252), ["+t"]);
    assert!(pass_time(&mut driver, 9000).is_empty());
}

#[test]
fn what_can_meet_no_other_any_more_is_no_longer_kept() {
    for topology in [inner, outer] {
        let mut porter = Porter::of(topology());
        porter.hear(Knock(1000, "k")).hear(Ring(1000, "r")).commit();
        assert_eq!(porter.kept(), 2, "each may meet more");
        porter.hear(Knock(1150, "l")).commit();
        assert_eq!(porter.kept(), 3);
        porter.hear(Knock(1151, "m")).commit();
        assert_eq!(porter.kept(), 2, "the first two have left");
        porter.hear(Ring(5000, "s")).commit();
        assert_eq!(porter.kept(), 1);
    }
}

#[test]
fn one_that_stayed_alone_leaves_even_if_it_cannot_be_handled() {
    let mut driver = TestDriver::new(outer()).unwrap();
    assert!(calls(&mut driver, &[Knock(1000, "thirteen"), Knock(1000, "k")]).is_empty());
    assert_eq!(pass_time(&mut driver, 5000), ["k+"]);
    assert!(driver.dead_letters().iter().any(|dead| matches!(&dead.cause, Refusal::Panicked(_))));
    assert!(pass_time(&mut driver, 9000).is_empty());
    assert!(driver.dead_letters().is_empty());
}

#[test]
fn timestamps_at_the_ends_of_time_are_joined_like_any_other() {
    assert_eq!(calls_of(outer(), &[Knock(i64::MIN, "k"), Ring(i64::MIN, "r")]), ["k+r"]);
    assert_eq!(calls_of(outer(), &[Knock(-50, "k"), Ring(50, "r"), Ring(51, "s")]), ["k+r"]);
}

#[test]
fn a_name_is_of_one_join_and_both_sides_have_the_same_partitions() {
    let join = |topology: &Topology| {
        topology
            .stream(&KNOCKS)
            .outer_join("heard", topology.stream(&RINGS), WINDOW)
            .map(|joined| call(joined.value))
            .to(&CALLS);
    };
    let topology = Topology::new("porter");
    join(&topology);
    join(&topology);
    assert_eq!(topology.build().unwrap_err(), TopologyError::UsedTwice("heard".into()));

    let topology = Topology::new("porter");
    join(&topology);
    let graph = topology.build().unwrap();
    assert_eq!(graph.sub_topology("knocks"), graph.sub_topology("rings"));
    let stores = &graph.describe().sub_topologies[0].stores;
    assert_eq!(stores["heard-left"], "porter-heard-left-changelog");
    assert_eq!(stores["heard-right"], "porter-heard-right-changelog");
}
