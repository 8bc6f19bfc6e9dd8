//! Session windows: who belongs together, what late records do, what is kept.
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::time::Duration;

use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::{Sessions, Store, TestDriver, Timestamp, Topic, Topology};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Draught {
    tap: String,
    litres: i64,
}

impl AvroRecord for Draught {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Draught", "fields": [
        {"name": "tap", "type": "string"}, {"name": "litres", "type": "long"}]}"#;
}

const DRAUGHTS: Topic<Draught> = Topic::new("draughts", "taps", |draught| draught.tap.clone());
const POURED: Topic<Draught> = Topic::new("poured", "watch", |draught| draught.tap.clone());
const POURING: Store<Sessions<Draught>> = Store::new("pouring");
const GAP: Duration = Duration::from_millis(100);
const GRACE: Duration = Duration::from_millis(50);

/// Says after each draught what its tap has poured in the session.
fn watch() -> TestDriver {
    let topology = Topology::new("watch");
    topology
        .stream(&DRAUGHTS)
        .session(&POURING, GAP, GRACE)
        .process(
            |poured: &mut Draught, later: Draught| poured.litres += later.litres,
            |draught, poured: &mut Draught| {
                *poured = Draught { tap: draught.tap.clone(), litres: poured.litres + draught.litres };
                assert!(draught.litres != 13, "thirteen");
                [poured.clone()]
            },
        )
        .to(&POURED);
    TestDriver::new(topology).unwrap()
}

/// Pipes draughts of one tap, each with its moment; says what was poured after each.
fn poured(driver: &mut TestDriver, draughts: &[(i64, i64)]) -> Vec<i64> {
    for (at, litres) in draughts {
        driver.pipe_at(&DRAUGHTS, Timestamp(*at), &Draught { tap: "a".into(), litres: *litres });
    }
    driver.read(&POURED).iter().map(|poured| poured.litres).collect()
}

fn kept(driver: &TestDriver) -> Vec<(i64, i64, i64)> {
    let sessions = driver.stored(&POURING, "a").unwrap_or_default().sessions;
    sessions.into_iter().map(|session| (session.start.0, session.end.0, session.aggregate.litres)).collect()
}

#[test]
fn records_belong_to_one_session_until_nothing_came_for_the_gap() {
    let mut driver = watch();
    assert_eq!(poured(&mut driver, &[(1000, 1), (1100, 2), (1200, 4), (1301, 8)]), [1, 3, 7, 8]);
    assert_eq!(kept(&driver), [(1000, 1200, 7), (1301, 1301, 8)]);
}

#[test]
fn keys_have_sessions_of_their_own() {
    let mut driver = watch();
    driver.pipe_at(&DRAUGHTS, Timestamp(1000), &Draught { tap: "b".into(), litres: 1 });
    assert_eq!(poured(&mut driver, &[(1000, 2)]), [1, 2]);
}

#[test]
fn a_late_record_joins_two_sessions() {
    let mut driver = watch();
    assert_eq!(poured(&mut driver, &[(1000, 1), (1150, 2)]), [1, 2]);
    assert_eq!(poured(&mut driver, &[(1075, 4)]), [7]);
    assert_eq!(kept(&driver), [(1000, 1150, 7)]);
}

#[test]
fn a_late_record_reaches_back_within_the_grace_and_begins_its_session_earlier() {
    let mut driver = watch();
    // At 1140 a record of 990 is within gap and grace (990 + 100 + 50), one of 989 is not.
    assert_eq!(poured(&mut driver, &[(1140, 1), (990, 2), (989, 4)]), [1, 2, 6]);
    assert_eq!(kept(&driver), [(989, 990, 6), (1140, 1140, 1)], "it is near enough to one that is open");
}

#[test]
fn a_record_that_is_later_than_the_grace_is_judged_alone_and_not_kept() {
    let mut driver = watch();
    assert_eq!(poured(&mut driver, &[(1000, 1), (1151, 2), (1000, 4), (1000, 8)]), [1, 2, 4, 8]);
    assert_eq!(kept(&driver), [(1151, 1151, 2)]);
}

#[test]
fn sessions_that_are_over_are_forgotten() {
    let mut driver = watch();
    poured(&mut driver, &[(1000, 1), (5000, 2)]);
    assert_eq!(kept(&driver), [(5000, 5000, 2)]);
}

#[test]
fn sessions_of_a_key_that_does_not_come_back_are_forgotten_when_no_record_can_join_them() {
    let mut driver = watch();
    poured(&mut driver, &[(1000, 1)]);
    let mut pass = |until: i64| {
        driver.pipe_at(&DRAUGHTS, Timestamp(until), &Draught { tap: "b".into(), litres: 1 });
        driver.stored(&POURING, "a").is_some()
    };
    assert_eq!([pass(1150), pass(1151)], [true, false]);
}

#[test]
fn a_handler_that_panics_leaves_its_session_as_it_was() {
    let mut driver = watch();
    assert_eq!(poured(&mut driver, &[(1000, 1), (1010, 13), (1020, 2)]), [1, 3]);
    assert_eq!(driver.dead_letters().len(), 1);
    assert_eq!(kept(&driver), [(1000, 1020, 3)]);
}

#[test]
fn timestamps_at_the_ends_of_time_are_sessions_like_any_other() {
    let mut driver = watch();
    assert_eq!(poured(&mut driver, &[(i64::MIN, 1), (0, 2), (i64::MIN, 4)]), [1, 2, 4]);
}
