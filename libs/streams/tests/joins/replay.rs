//! The same input, however it is cut into epochs, aborted, restored; and the same as a fold that is obviously right.

use crate::porter::Do::{self, Knock, Ring};
use crate::porter::Porter;

#[test]
fn the_same_is_said_wherever_an_epoch_ends_and_however_often_it_is_repeated() {
    let doings = random_doings(1, 600);
    let mut expected = Porter::new();
    doings.iter().for_each(|doing| expected.hear(*doing).commit());
    let expected = expected.said();
    for (commit_every, abort_every) in [(50, 1000), (20, 7), (7, 3)] {
        let (mut porter, mut said, mut epoch) = (Porter::new(), Vec::new(), Vec::new());
        for (n, doing) in doings.iter().enumerate() {
            porter.hear(*doing);
            epoch.push(*doing);
            if (n + 1) % abort_every == 0 {
                porter.task.abort();
                porter.said();
                for doing in &epoch {
                    porter.hear(*doing);
                }
            }
            if (n + 1) % commit_every == 0 {
                porter.commit();
                said.extend(porter.said());
                epoch.clear();
            }
        }
        porter.commit();
        said.extend(porter.said());
        assert_eq!(said, expected, "commits every {commit_every}, aborts every {abort_every}");
    }
}

#[test]
fn a_task_that_is_restored_goes_on_as_if_it_had_not_stopped() {
    let doings = random_doings(2, 400);
    let mut expected = Porter::new();
    doings.iter().for_each(|doing| expected.hear(*doing).commit());
    let (mut porter, mut said) = (Porter::new(), Vec::new());
    for (n, doing) in doings.iter().enumerate() {
        porter.hear(*doing).commit();
        if n % 37 == 0 {
            said.extend(porter.said());
            porter = porter.successor();
        }
    }
    said.extend(porter.said());
    assert_eq!(said, expected.said());
}

#[test]
fn it_says_what_a_naive_fold_over_all_records_says() {
    for seed in 0..40 {
        let doings = random_doings(seed, 120);
        let mut porter = Porter::new();
        doings.iter().for_each(|doing| porter.hear(*doing).commit());
        let mut said: Vec<String> = porter.said().into_iter().map(|(_, name)| name).collect();
        let mut expected = naive(&doings);
        said.sort();
        expected.sort();
        assert_eq!(said, expected, "seed {seed}: {doings:?}");
    }
}

/// Knocks and rings at one door, mostly in order, some late, some far too late.
fn random_doings(seed: u64, count: usize) -> Vec<Do> {
    const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) % below
    };
    let mut now = 10_000;
    let mut doing = move |_| {
        now += i64::try_from(random(60)).unwrap();
        let at = now - i64::try_from([0, 0, 0, random(160), random(400)][usize::try_from(random(5)).unwrap()]).unwrap();
        let name = NAMES[usize::try_from(random(8)).unwrap()];
        if random(2) == 0 { Knock(at, name) } else { Ring(at, name) }
    };
    (0..count).map(&mut doing).collect()
}

/// What an outer join of all of it says, by looking at each pair: two meet if they are within the window of each other, if
/// neither was late when it came, and if the earlier had not left when the later came.
fn naive(doings: &[Do]) -> Vec<String> {
    let parts = doings.iter().map(|doing| match *doing {
        Knock(at, name) => (true, at, name),
        Ring(at, name) => (false, at, name),
    });
    let parts: Vec<_> = parts.collect();
    let time_before = |n: usize| parts[..n].iter().map(|(_, at, _)| *at).max().unwrap_or(i64::MIN);
    let is_late = |n: usize| parts[n].1.saturating_add(150) < time_before(n);
    let is_gone = |n: usize, when: usize| parts[n].1 + 150 < time_before(when);
    let (mut said, mut met) = (Vec::new(), vec![false; parts.len()]);
    for later in 0..parts.len() {
        for earlier in 0..later {
            let (one, other) = (parts[earlier], parts[later]);
            if one.0 == other.0 || (one.1 - other.1).abs() > 100 || is_late(earlier) || is_late(later) {
                continue;
            }
            if is_gone(earlier, later) {
                continue;
            }
            let (knock, ring) = if one.0 { (one, other) } else { (other, one) };
            said.push(format!("{}+{}", knock.2, ring.2));
            (met[earlier], met[later]) = (true, true);
        }
    }
    let end = time_before(parts.len());
    for (n, (is_knock, at, name)) in parts.iter().enumerate() {
        if !met[n] && (is_late(n) || at + 150 < end) {
            said.push(if *is_knock { format!("{name}+") } else { format!("+{name}") });
        }
    }
    said
}
