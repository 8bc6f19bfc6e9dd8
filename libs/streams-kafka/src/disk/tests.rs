use std::collections::BTreeSet;
use std::fs;
use std::thread;

use tempfile::TempDir;

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn identity() -> Identity {
    let retention = Duration::from_secs(86_400);
    Identity { cluster: "red".into(), changelog: "tills-totals-changelog".into(), partitions: 4, retention }
}

fn place(name: &str) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    (folder, path)
}

fn open(path: &Path) -> StateDirectory {
    StateDirectory::open(path).unwrap()
}

fn share(directory: &StateDirectory) -> Opened {
    directory.share("totals", 3, &identity(), wall_clock()).unwrap()
}

/// An epoch that sets the keys to its number, and ends at that offset.
fn apply(store: &dyn StateStore, keys: u32, epoch: i64) {
    let value = epoch.to_string();
    let mut changes = (0..keys).map(|key| (key.to_string().into(), Some(value.as_bytes().into())));
    store.apply(&mut changes, Some(at(epoch))).unwrap();
}

fn at(offset: i64) -> Checkpoint {
    Checkpoint { offset, timestamp: offset + NOW.0 }
}

fn entries(store: &dyn StateStore) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    store.visit(&mut |key, value| entries.push((key.into(), String::from_utf8(value.to_vec()).unwrap()))).unwrap();
    entries
}

/// What a process that is killed at this moment leaves behind.
fn killed(path: &Path) -> (TempDir, std::path::PathBuf) {
    let (folder, copied) = place("killed");
    let mut folders = vec![path.to_path_buf()];
    while let Some(from) = folders.pop() {
        let to = copied.join(from.strip_prefix(path).unwrap());
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(&from).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
    (folder, copied)
}

fn journal(path: &Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(path.join("database")).unwrap().map(|entry| entry.unwrap().path());
    files.find(|file| file.extension().is_some_and(|extension| extension == "jnl")).expect("there is a journal")
}

#[test]
fn a_share_that_is_opened_again_is_as_it_was() {
    let (_folder, path) = place("tills-0");
    {
        let directory = open(&path);
        apply(&*share(&directory).store, 2, 7);
    }
    let opened = share(&open(&path));
    assert_eq!(opened.discarded, None);
    assert_eq!(opened.store.checkpoint(), Some(at(7)));
    assert_eq!(entries(&*opened.store), [("0".into(), "7".into()), ("1".into(), "7".into())]);
}

#[test]
fn a_killed_process_has_lost_nothing() {
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    let store = share(&directory).store;
    (1..=9).for_each(|epoch| apply(&*store, 100, epoch));
    let (_copy, path) = killed(&path);
    let opened = share(&open(&path));
    assert_eq!(opened.store.checkpoint(), Some(at(9)));
    assert_eq!(entries(&*opened.store).iter().filter(|(_, value)| value == "9").count(), 100);
}

#[test]
fn after_a_torn_write_the_state_is_an_older_one_and_whole() {
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    let store = share(&directory).store;
    (1..=9).for_each(|epoch| apply(&*store, 100, epoch));
    let written = fs::read(journal(&path)).unwrap().iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    let mut seen = Vec::new();
    for torn in (1..8).map(|eighths| written * eighths / 8) {
        let (_copy, path) = killed(&path);
        fs::OpenOptions::new().write(true).open(journal(&path)).unwrap().set_len(torn).unwrap();
        let store = share(&open(&path)).store;
        let offset = store.checkpoint().map_or(0, |checkpoint| checkpoint.offset);
        let entries = entries(&*store);
        assert_eq!(entries.len(), if offset == 0 { 0 } else { 100 });
        assert!(entries.iter().all(|(_, value)| *value == offset.to_string()));
        seen.push(offset);
    }
    assert!(seen.is_sorted() && seen.first() < Some(&3) && seen.last() > Some(&6), "{seen:?}");
}

#[test]
fn a_share_of_something_else_is_thrown_away() {
    let others = [
        (Identity { cluster: "blue".into(), ..identity() }, "its cluster is red, not blue"),
        (
            Identity { changelog: "x-changelog".into(), ..identity() },
            "its changelog is tills-totals-changelog, not x-changelog",
        ),
        (Identity { partitions: 8, ..identity() }, "its number of partitions is 4, not 8"),
    ];
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    for (other, why) in others {
        apply(&*share(&directory).store, 2, 7);
        let opened = directory.share("totals", 3, &other, wall_clock()).unwrap();
        assert_eq!(opened.discarded.as_deref(), Some(why));
        assert_eq!((opened.store.checkpoint(), entries(&*opened.store).len()), (None, 0));
    }
}

#[test]
fn a_share_that_may_have_missed_removals_is_thrown_away() {
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    apply(&*share(&directory).store, 2, 7);
    let fits = |after: Duration| {
        let now = Timestamp(wall_clock().0 + i64::try_from(after.as_millis()).unwrap());
        directory.share("totals", 3, &identity(), now).unwrap().discarded
    };
    assert_eq!(fits(23 * HOUR), None);
    assert_eq!(
        fits(25 * HOUR).as_deref(),
        Some("nobody looked after it for 90000 s, and the changelog remembers removals for 86400 s")
    );
    assert_eq!(fits(25 * HOUR), None);
}

#[test]
fn only_a_touch_says_that_a_share_is_up_to_date() {
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    let stale = Metadata { checkpoint: at(7), touched_at: NOW, schema_ids: BTreeSet::new() }.encode(&identity());
    keyspace(&directory).insert(METADATA, &stale).unwrap();
    apply(&*directory.share("totals", 3, &identity(), NOW).unwrap().store, 1, 7);
    assert!(share(&directory).discarded.is_some(), "an epoch does not");
    keyspace(&directory).insert(METADATA, stale).unwrap();
    directory.share("totals", 3, &identity(), NOW).unwrap().store.touch().unwrap();
    let opened = share(&directory);
    assert_eq!((opened.discarded, opened.store.checkpoint()), (None, Some(at(7))));
}

fn keyspace(directory: &StateDirectory) -> Keyspace {
    directory.database.wait().as_ref().unwrap().fjall.keyspace("totals-3", KeyspaceCreateOptions::default).unwrap()
}

#[test]
fn a_share_that_does_not_say_what_it_holds_is_thrown_away() {
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    let unreadable = "what it says about itself cannot be read";
    let mut odd = vec![
        (b"2\nred".to_vec(), r#"its layout on disk is "2", not "1""#),
        (b"1\nred".to_vec(), unreadable),
        (b"1\xff".to_vec(), unreadable),
    ];
    let valid = Metadata { checkpoint: at(7), touched_at: NOW, schema_ids: BTreeSet::new() }.encode(&identity());
    odd.push((valid.replace(&at(7).timestamp.to_string(), "late").into_bytes(), unreadable));
    for (metadata, why) in odd {
        keyspace(&directory).insert("key", "value").unwrap();
        keyspace(&directory).insert(METADATA, metadata).unwrap();
        let opened = share(&directory);
        assert_eq!(opened.discarded.as_deref(), Some(why));
        assert!(entries(&*opened.store).is_empty());
    }
    share(&directory).store.apply(&mut [change("key", Some("value"))].into_iter(), None).unwrap();
    assert_eq!(share(&directory).discarded.as_deref(), Some("it does not say how much of the changelog it holds"));
}

fn change(key: &str, value: Option<&str>) -> Change {
    (key.into(), value.map(|value| value.as_bytes().into()))
}

#[test]
fn a_share_that_was_cleared_stays_empty_and_takes_what_comes_after() {
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    let store = share(&directory).store;
    apply(&*store, 100, 7);
    store.clear().unwrap();
    assert_eq!((store.checkpoint(), entries(&*store).len()), (None, 0));
    let (_copy, cleared) = killed(&path);
    apply(&*store, 1, 8);
    let (_copy, refilled) = killed(&path);
    let store = share(&open(&cleared)).store;
    assert_eq!((store.checkpoint(), entries(&*store).len()), (None, 0));
    let store = share(&open(&refilled)).store;
    assert_eq!((store.checkpoint(), entries(&*store)), (Some(at(8)), vec![("0".into(), "8".into())]));
}

#[test]
fn whoever_opened_a_share_before_can_write_to_it_no_more() {
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    let old = share(&directory).store;
    apply(&*old, 1, 7);
    let new = share(&directory).store;
    let refused = StoreError::Superseded("totals-3".to_string());
    assert_eq!(old.apply(&mut [change("0", None)].into_iter(), Some(at(8))), Err(refused.clone()));
    assert_eq!(old.clear(), Err(refused));
    assert_eq!((new.checkpoint(), entries(&*new).len()), (Some(at(7)), 1));
    apply(&*new, 1, 8);
    assert_eq!(old.get("0"), Ok(Some(b"8".to_vec())));
}

#[test]
fn shares_do_not_mix() {
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    apply(&*share(&directory).store, 1, 7);
    for (store, partition) in [("totals", 2), ("totals-3", 3), ("names", 3)] {
        let store = directory.share(store, partition, &identity(), wall_clock()).unwrap().store;
        assert_eq!((store.checkpoint(), store.get("0")), (None, Ok(None)));
    }
}

#[test]
fn a_second_process_is_told_that_the_directory_is_in_use() {
    let (_folder, path) = place("tills-0");
    let first = open(&path);
    let store = share(&first).store;
    let locked = StoreError::new(format!("{} is in use by another process", path.display()));
    assert_eq!(StateDirectory::open(&path).err(), Some(locked.clone()));
    drop(first);
    assert_eq!(StateDirectory::open(&path).err(), Some(locked), "a reader still holds a share");
    drop(store);
    assert!(StateDirectory::open(&path).is_ok());
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let (folder, path) = place("tills-0");
    fs::write(&path, "a file").unwrap();
    assert!(StateDirectory::open(&path).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was thrown away");
}

/// The share is empty, and can be used.
fn assert_begins_anew(path: &Path) {
    let opened = share(&open(path));
    assert_eq!((opened.store.checkpoint(), entries(&*opened.store).len()), (None, 0));
    apply(&*opened.store, 2, 8);
    drop(opened);
    assert_eq!(share(&open(path)).store.checkpoint(), Some(at(8)));
}

#[test]
fn a_damaged_database_is_replaced_by_an_empty_one() {
    type Damage = fn(&Path);
    let damages: [Damage; 4] = [
        |path| fs::write(path.join("database/version"), "?").unwrap(),
        |path| fs::remove_dir_all(path.join("database/keyspaces")).unwrap(),
        |path| fs::write(path.join("database/keyspaces/1/current"), "?").unwrap(),
        |path| fs::remove_dir_all(path.join("database/keyspaces/0")).unwrap(),
    ];
    for damage in damages {
        let (_folder, path) = place("tills-0");
        apply(&*share(&open(&path)).store, 2, 7);
        damage(&path);
        assert_begins_anew(&path);
    }
}

#[test]
fn damage_that_shows_while_reading_is_cured_by_the_next_start() {
    let (_folder, path) = place("tills-0");
    {
        let directory = open(&path);
        apply(&*share(&directory).store, 2, 7);
        keyspace(&directory).insert(b"\xc0", "not UTF-8").unwrap();
        assert!(share(&directory).store.visit(&mut |_, _| {}).is_err());
    }
    assert_begins_anew(&path);
}

#[test]
fn a_hundred_thousand_entries_are_all_there() {
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    let store = share(&directory).store;
    let value = "x".repeat(200);
    for epoch in 0..10 {
        let mut changes = (0..10_000).map(|key| change(&format!("{:05}", key * 10 + epoch), Some(&value)));
        store.apply(&mut changes, Some(at(epoch))).unwrap();
    }
    let (_copy, path) = killed(&path);
    for store in [store, share(&open(&path)).store] {
        let mut expected = 0;
        store
            .visit(&mut |key, found| {
                assert_eq!((key, found), (format!("{expected:05}").as_str(), value.as_bytes()));
                expected += 1;
            })
            .unwrap();
        assert_eq!((expected, store.checkpoint()), (100_000, Some(at(9))));
    }
}

#[test]
fn readers_see_whole_epochs() {
    const LAST: i64 = 300;
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    let store = share(&directory).store;
    apply(&*store, 50, 0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = "0".to_string();
                while last != LAST.to_string() {
                    let first = String::from_utf8(store.get("49").unwrap().unwrap()).unwrap();
                    let entries = entries(&*store);
                    last = entries[0].1.clone();
                    assert!(entries.len() == 50 && entries.iter().all(|(_, value)| *value == last), "{entries:?}");
                    assert!(first.parse::<i64>().unwrap() <= last.parse().unwrap(), "{first} was seen before {last}");
                }
            });
        }
        scope.spawn(|| (1..=LAST).for_each(|epoch| apply(&*store, 50, epoch)));
    });
}

#[test]
fn of_several_changes_of_a_key_in_one_epoch_the_last_counts() {
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    let store = share(&directory).store;
    let changes = [change("a", Some("1")), change("b", Some("1")), change("a", None), change("b", Some("2"))];
    store.apply(&mut changes.into_iter(), Some(at(1))).unwrap();
    let changes = [change("c", None), change("c", Some("3"))];
    store.apply(&mut changes.into_iter(), Some(at(2))).unwrap();
    let (_copy, path) = killed(&path);
    for store in [store, share(&open(&path)).store] {
        assert_eq!(entries(&*store), [("b".into(), "2".into()), ("c".into(), "3".into())]);
        assert_eq!(store.get("a"), Ok(None));
    }
}

#[test]
fn an_empty_key_is_a_key_and_one_too_long_is_refused_whole() {
    let (_folder, path) = place("tills-0");
    let directory = open(&path);
    let store = share(&directory).store;
    let longest = "k".repeat(65_535);
    store.apply(&mut [change("", Some("1")), change(&longest, Some("2"))].into_iter(), Some(at(1))).unwrap();
    assert_eq!((store.get(""), store.get(&longest)), (Ok(Some(b"1".to_vec())), Ok(Some(b"2".to_vec()))));
    assert_eq!(entries(&*store).last(), Some(&(String::new(), "1".into())));
    let longer = "k".repeat(65_536);
    let refused = store.apply(&mut [change("", None), change(&longer, Some("3"))].into_iter(), Some(at(2)));
    assert_eq!(refused, Err(StoreError::new("a key of 65536 bytes is too long for a store")));
    assert_eq!((store.get(&longer), store.checkpoint(), entries(&*store).len()), (Ok(None), Some(at(1)), 2));
}

#[test]
fn a_range_is_shown_in_the_order_of_its_keys_and_without_its_end() {
    let (_folder, path) = place("state");
    let Opened { store, .. } = share(&open(&path));
    let keys = ["b", "", "a\0", "c", "a"].map(|key| (Box::from(key), Some(Box::from(key.as_bytes()))));
    store.apply(&mut keys.into_iter(), Some(at(1))).unwrap();
    let range = |from: &str, to: &str| {
        let mut found = Vec::new();
        store.range(from, to, &mut |key, _| found.push(key.to_string())).unwrap();
        found
    };
    assert_eq!(range("a", "c"), ["a", "a\0", "b"]);
    assert_eq!(range("", "a\0"), ["", "a"]);
    assert!(range("", "").is_empty());
}
