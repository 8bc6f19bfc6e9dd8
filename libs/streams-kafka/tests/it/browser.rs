//! What can be seen of topics and groups without being a member of any.

use std::thread;

use avro_codec::{AvroRecord, SchemaId, Schemas};
use serde_json::{Value, json};
use streams::{Timestamp, TopicDeclaration};
use streams_kafka::browser::{Group, Page, PageRecord, PartitionContents};
use streams_kafka::{BrowseError, Browser, Settings, Sink, Status, create_topics};
use test_kit::{RawRecord, eventually_blocking};

use crate::dead_letters::with_schema_id;
use crate::rig::{AMOUNTS, Amount, DEADLINE, Rig, await_status, plain_adder};

fn browser(rig: &Rig) -> Browser {
    let asked = rig.asked.clone();
    Browser::new(rig.settings.clone(), rig.schemas.clone(), move |id| asked.lock().unwrap().push(id)).unwrap()
}

/// A rig with four partitions for amounts, and nothing that runs.
fn rig() -> Rig {
    let rig = Rig::bare();
    create_topics(&rig.settings, &[AMOUNTS.declaration()]).unwrap();
    rig
}

fn page(rig: &Rig, from: i64, limit: usize) -> Page {
    browser(rig).records("amounts", 0, from, limit).unwrap()
}

fn offsets(page: &Page) -> Vec<i64> {
    page.records.iter().map(|record| record.offset).collect()
}

/// Amounts that go to the first partition, whatever their till.
fn first_partition(rig: &Rig, cents: impl IntoIterator<Item = i64>) -> Vec<RawRecord> {
    cents.into_iter().map(|cents| rig.encoded("a", cents).to_partition(0)).collect()
}

fn group(browser: &Browser, name: &str) -> Option<Group> {
    browser.groups().unwrap().into_iter().find(|group| group.name == name)
}

fn await_group(browser: &Browser, name: &str, what: &str, is_it: impl Fn(&Group) -> bool) -> Group {
    eventually_blocking(what, DEADLINE, || group(browser, name).filter(&is_it))
}

fn no_lag(group: &Group) -> bool {
    !group.partitions.is_empty() && group.partitions.iter().all(|partition| partition.lag().is_none_or(|lag| lag == 0))
}

#[test]
fn the_topics_of_the_system_are_shown_with_where_they_begin_and_end() {
    let rig = rig();
    rig.write(first_partition(&rig, 0..3));
    let other = Rig::bare();
    create_topics(&other.settings, &[TopicDeclaration::dead_letters("other")]).unwrap();
    let topics = browser(&rig).topics().unwrap();
    assert_eq!(topics.iter().map(|topic| &*topic.name).collect::<Vec<_>>(), ["amounts"]);
    let partition = |partition, next| PartitionContents { partition, first: 0, next };
    assert_eq!(topics[0].partitions, [partition(0, 3), partition(1, 0), partition(2, 0), partition(3, 0)]);
}

#[test]
fn without_a_prefix_the_topics_of_the_broker_itself_are_left_out() {
    let rig = rig();
    let all = Settings { topic_prefix: String::new(), ..rig.settings.clone() };
    let topics = Browser::new(all, Schemas::new(), |_| {}).unwrap().topics().unwrap();
    assert!(topics.iter().any(|topic| topic.name == rig.settings.topic("amounts")));
    assert!(topics.iter().all(|topic| !topic.name.starts_with("__")));
}

#[test]
fn what_was_deleted_is_not_counted() {
    let rig = rig();
    rig.write(first_partition(&rig, 0..3));
    rig.broker.alter_topic(&rig.settings.topic("amounts"), &[("cleanup.policy", "delete")]).unwrap();
    rig.broker.delete_records(&rig.settings.topic("amounts")).unwrap();
    rig.write(first_partition(&rig, [3]));
    let topics = browser(&rig).topics().unwrap();
    assert_eq!(topics[0].partitions[0], PartitionContents { partition: 0, first: 3, next: 4 });
    let page = page(&rig, 0, 10);
    assert_eq!((page.first, page.next, offsets(&page)), (3, 4, vec![3]));
}

#[test]
fn a_record_is_shown_with_everything_that_belongs_to_it() {
    let rig = rig();
    let record = rig.encoded("a", 5).to_partition(0).at_ms(1_700_000_000_000);
    let bytes = record.value.as_ref().unwrap().len();
    rig.write([record.header("colour", "blue").header("bits", [0, 1])]);
    let shown = PageRecord {
        offset: 0,
        timestamp: Timestamp(1_700_000_000_000),
        key: Some("a".to_string()),
        headers: vec![("colour".to_string(), "blue".to_string()), ("bits".to_string(), "0x0001".to_string())],
        schema_id: Some(1),
        value: Some(json!({"till": "a", "cents": 5, "note": ""})),
        problem: None,
        bytes,
    };
    assert_eq!(page(&rig, 0, 10), Page { first: 0, next: 1, records: vec![shown] });
}

#[test]
fn a_page_begins_where_it_is_asked_to_and_has_no_more_records_than_that() {
    let rig = rig();
    rig.write(first_partition(&rig, 0..10));
    assert_eq!(offsets(&page(&rig, 3, 4)), [3, 4, 5, 6]);
    assert_eq!(offsets(&page(&rig, 8, 4)), [8, 9]);
    assert_eq!(offsets(&page(&rig, -3, 10)), [7, 8, 9]);
    assert_eq!(offsets(&page(&rig, -10, 2)), [8, 9]);
    assert_eq!(offsets(&page(&rig, -100, 100)), (0..10).collect::<Vec<_>>());
    for (from, limit) in [(10, 4), (i64::MAX, 4), (0, 0), (-5, 0)] {
        assert!(page(&rig, from, limit).records.is_empty(), "{limit} from {from}");
    }
    assert_eq!(offsets(&page(&rig, i64::MIN, usize::MAX)), (0..10).collect::<Vec<_>>());
}

#[test]
fn what_was_aborted_is_passed_over_also_when_counting_from_the_end() {
    let rig = rig();
    let aborted = || rig.broker.write_aborted(&rig.settings.topic("amounts"), first_partition(&rig, 0..5)).unwrap();
    rig.write(first_partition(&rig, 0..2));
    aborted();
    rig.write(first_partition(&rig, 2..3));
    aborted();
    eventually_blocking("each transaction has its marker", DEADLINE, || {
        (browser(&rig).topics().unwrap()[0].partitions[0].next == 2 + 6 + 1 + 6).then_some(())
    });
    let cents = |page: Page| -> Vec<Value> {
        page.records.into_iter().map(|record| record.value.unwrap()["cents"].clone()).collect()
    };
    assert_eq!(cents(page(&rig, 0, 10)), [0, 1, 2]);
    assert_eq!(cents(page(&rig, -2, 10)), [1, 2]);
    assert!(page(&rig, 9, 10).records.is_empty());
}

#[test]
fn the_records_before_an_offset_are_found_however_long_the_gap_between_is() {
    let rig = rig();
    rig.write(first_partition(&rig, 0..3));
    let before = |end, limit| offsets(&browser(&rig).records_before("amounts", 0, end, limit).unwrap());
    assert_eq!(before(3, 2), [1, 2]);
    assert_eq!(before(2, 10), [0, 1]);
    assert_eq!(before(i64::MAX, 1), [2]);
    for (end, limit) in [(0, 10), (-1, 10), (i64::MIN, 10), (3, 0)] {
        assert!(before(end, limit).is_empty(), "{limit} before {end}");
    }
    // A gap that is as long as any that compaction leaves.
    let aborted = first_partition(&rig, 0..500);
    rig.broker.write_aborted(&rig.settings.topic("amounts"), aborted).unwrap();
    eventually_blocking("the transaction has its marker", DEADLINE, || {
        (browser(&rig).topics().unwrap()[0].partitions[0].next == 3 + 501).then_some(())
    });
    rig.write(first_partition(&rig, 3..4));
    assert_eq!(before(504, 1), [2]);
    assert_eq!(before(505, 2), [504], "a page may be short, but is not empty");
}

#[test]
fn large_records_make_a_page_short() {
    let rig = rig();
    let large = RawRecord::new("a", vec![b'x'; 900_000]).to_partition(0);
    rig.write((0..8).map(|_| large.clone()));
    assert_eq!(offsets(&page(&rig, 0, 8)), [0, 1, 2, 3, 4]);
    assert_eq!(offsets(&page(&rig, -8, 8)), [4, 5, 6, 7]);
    let shown = page(&rig, 0, 1).records.remove(0);
    assert_eq!((shown.bytes, shown.value), (900_000, Some(Value::from("x".repeat(1024)))));
}

#[test]
fn what_cannot_be_decoded_is_shown_as_text_with_the_reason() {
    let rig = rig();
    let tombstone = RawRecord { value: None, ..RawRecord::new([0xff], "") };
    let records = [RawRecord::new("a", "no avro at all"), with_schema_id(rig.encoded("a", 1), 4712), tombstone];
    rig.write(records.map(|record| record.to_partition(0)));
    let page = page(&rig, 0, 10);
    let [text, unknown, tombstone] = page.records.try_into().unwrap();
    assert_eq!((text.value, text.schema_id), (Some(json!("no avro at all")), None));
    assert!(text.problem.unwrap().contains("magic byte"));
    assert_eq!((unknown.schema_id, unknown.problem.is_some()), (Some(4712), true));
    assert_eq!(rig.asked.lock().unwrap().first(), Some(&SchemaId(4712)));
    assert_eq!((tombstone.key.as_deref(), tombstone.value, tombstone.problem), (Some("0xff"), None, None));
}

#[test]
fn a_record_is_decoded_as_soon_as_the_registry_has_answered() {
    let rig = rig();
    rig.write([with_schema_id(rig.encoded("a", 1), 4712).to_partition(0)]);
    let schemas = rig.schemas.clone();
    let answering = move |id| schemas.learn(id, Amount::SCHEMA).unwrap();
    let browser = Browser::new(rig.settings.clone(), rig.schemas.clone(), answering).unwrap();
    let page = browser.records("amounts", 0, 0, 1).unwrap();
    assert_eq!(page.records[0].value.as_ref().unwrap()["cents"], 1);
    assert_eq!(browser.schema(4713).unwrap()["name"], "Amount");
}

#[test]
fn a_schema_that_the_registry_does_not_have_or_does_not_tell_is_reported() {
    let rig = rig();
    assert_eq!(browser(&rig).schema(4712), Err(BrowseError::UnresolvedSchema(4712)));
    rig.schemas.refuse(SchemaId(4712), "nobody knows it".to_string());
    assert_eq!(browser(&rig).schema(4712), Err(BrowseError::UnknownSchema(4712)));
}

#[test]
fn a_topic_or_a_partition_that_is_not_there_is_named() {
    let rig = rig();
    let browser = browser(&rig);
    for topic in ["nothing", "", "__consumer_offsets", &rig.settings.topic("amounts")] {
        let unknown = BrowseError::UnknownTopic(topic.to_string());
        assert_eq!(browser.records(topic, 0, 0, 1), Err(unknown));
    }
    for partition in [4, -1] {
        let unknown = BrowseError::UnknownPartition { topic: "amounts".to_string(), partition };
        assert_eq!(browser.records("amounts", partition, 0, 1), Err(unknown));
    }
}

#[test]
fn a_broker_that_is_away_is_reported_with_its_address() {
    let rig = rig();
    let settings = Settings { bootstrap_servers: "127.0.0.1:1".to_string(), ..rig.settings.clone() };
    let browser = Browser::new(settings, Schemas::new(), |_| {}).unwrap();
    let error = browser.topics().unwrap_err();
    assert!(matches!(&error, BrowseError::Unavailable { servers, .. } if servers == "127.0.0.1:1"), "{error}");
    assert!(matches!(browser.groups(), Err(BrowseError::Unavailable { .. })));
}

#[test]
fn many_who_read_at_once_all_get_their_page() {
    let rig = rig();
    rig.write(first_partition(&rig, 0..10));
    let browser = browser(&rig);
    thread::scope(|scope| {
        let pages: Vec<_> = (0..16).map(|_| scope.spawn(|| browser.records("amounts", 0, 2, 3))).collect();
        for page in pages {
            assert_eq!(offsets(&page.join().unwrap().unwrap()), [2, 3, 4]);
        }
    });
}

#[test]
fn a_group_is_shown_with_its_members_and_no_lag_when_it_has_read_everything() {
    let mut rig = Rig::new(plain_adder());
    rig.settings.advertised_url = Some("http://adder-0:9464".to_string());
    let streams = rig.start_and_await(plain_adder());
    rig.write((0..20).map(|cents| rig.encoded(&format!("till-{cents}"), cents)));
    rig.await_sums(20);
    let browser = browser(&rig);
    let group = await_group(&browser, "adder", "everything is committed", no_lag);
    assert_eq!((&*group.state, group.members.len()), ("Stable", 1));
    assert_eq!((&*group.members[0].name, group.members[0].partitions), ("http://adder-0:9464", 4));
    let ends: i64 = group.partitions.iter().map(|partition| partition.end).sum();
    assert_eq!((ends, group.partitions.len()), (20, 4));
    assert!(group.partitions.iter().all(|partition| partition.topic == "amounts"));
    assert!(group.partitions.iter().all(|partition| partition.member.as_deref() == Some("http://adder-0:9464")));
    drop(streams);
}

#[test]
fn a_group_whose_members_are_gone_is_shown_with_what_it_has_not_read() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    rig.write(first_partition(&rig, 0..5));
    rig.await_sums(5);
    let browser = browser(&rig);
    await_group(&browser, "adder", "everything is committed", no_lag);
    streams.leave();
    await_status(&streams, "it has left", |status| *status == Status::Left);
    rig.write(first_partition(&rig, 5..8));
    let group = await_group(&browser, "adder", "it is empty", |group| group.members.is_empty());
    let waiting = group.partitions.iter().find(|partition| partition.partition == 0).unwrap();
    assert_eq!((waiting.position, waiting.end, waiting.lag()), (Some(5), 8, Some(3)));
    assert_eq!((waiting.member.as_deref(), &*waiting.topic), (None, "amounts"));
}

#[test]
fn markers_behind_the_last_record_are_no_lag() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    rig.write(first_partition(&rig, 0..5));
    rig.await_sums(5);
    rig.broker.write_aborted(&rig.settings.topic("amounts"), first_partition(&rig, 5..30)).unwrap();
    let browser = browser(&rig);
    let group = await_group(&browser, "adder", "everything is committed", no_lag);
    let first = group.partitions.iter().find(|partition| partition.partition == 0).unwrap();
    assert_eq!((first.position, first.end), (Some(5), 5));
    let topics = browser.topics().unwrap();
    let amounts = topics.iter().find(|topic| topic.name == "amounts").unwrap();
    assert_eq!(amounts.partitions[0].next, 31);
    drop(streams);
}

#[test]
fn a_group_that_keeps_its_positions_elsewhere_is_shown_without_them() {
    let rig = rig();
    create_topics(&rig.settings, &[TopicDeclaration::dead_letters("tray")]).unwrap();
    rig.write(first_partition(&rig, 0..3));
    let sink =
        Sink::start(rig.settings.clone(), rig.schemas.clone(), "tray", vec![AMOUNTS.declaration()], |_| {}).unwrap();
    let is_stable = |group: &Group| group.state == "Stable" && group.partitions.len() == 4;
    let group = await_group(&browser(&rig), "tray-sink", "it is assigned", is_stable);
    assert_eq!((group.partitions[0].position, group.partitions[0].end), (None, 3));
    assert_eq!(group.partitions[0].lag(), None);
    drop(sink);
}
