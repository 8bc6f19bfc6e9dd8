//! In whose trace it goes on what is said of a pair.

use crate::porter::Do::{self, Knock, Ring};
use crate::porter::{Porter, inner, outer};

fn traces(porter: &mut Porter, doings: &[Do]) -> Vec<(Option<String>, Option<String>)> {
    for doing in doings {
        porter.hear(*doing);
    }
    porter.traces()
}

fn of(trace: &str, joined: Option<&str>) -> (Option<String>, Option<String>) {
    (Some(trace.to_string()), joined.map(str::to_string))
}

#[test]
fn a_pair_goes_on_in_the_trace_of_its_left_record_whichever_comes_first() {
    for topology in [inner, outer] {
        let pair = [of("k", Some("r"))];
        assert_eq!(traces(&mut Porter::of(topology()), &[Knock(1000, "k"), Ring(1050, "r")]), pair);
        assert_eq!(traces(&mut Porter::of(topology()), &[Ring(1000, "r"), Knock(1050, "k")]), pair);
    }
}

#[test]
fn the_trace_of_a_record_that_waits_survives_a_restart() {
    let mut porter = Porter::new();
    porter.hear(Knock(1000, "k"));
    porter.commit();
    assert_eq!(traces(&mut porter.successor(), &[Ring(1050, "r")]), [of("k", Some("r"))]);
}

#[test]
fn a_record_that_stays_alone_goes_on_in_its_own_trace_whoever_moves_the_time() {
    assert_eq!(traces(&mut Porter::new(), &[Ring(1000, "r"), Knock(9000, "k")]), [of("r", None)]);
}

#[test]
fn a_record_that_meets_two_is_joined_in_the_trace_of_each() {
    let pairs = [of("k", Some("r")), of("l", Some("r"))];
    assert_eq!(traces(&mut Porter::new(), &[Knock(1000, "k"), Knock(1001, "l"), Ring(1050, "r")]), pairs);
}
