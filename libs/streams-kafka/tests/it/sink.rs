//! Records on their way out, to something that keeps its own positions.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use avro_codec::{AvroRecord, SchemaId};
use opentelemetry::trace::{SpanKind, Status as SpanStatus};
use streams::{Timestamp, TopicDeclaration};
use streams_kafka::{Hops, Settings, Sink, SinkEvent, SinkRecord, StreamsError, TopicPartition, create_topics};
use test_kit::{RawRecord, eventually, unique};
use tokio::time::timeout;

use crate::dead_letters::with_schema_id;
use crate::rig::{AMOUNTS, Amount, DEADLINE, Rig};
use crate::spans::{PARENT, traced, watched};

/// The outside of a test: what was written, and how far.
#[derive(Default)]
struct Outside {
    positions: BTreeMap<TopicPartition, i64>,
    cents: Vec<i64>,
}

fn rig() -> Rig {
    let rig = Rig::bare();
    create(&rig, &[AMOUNTS.declaration(), TopicDeclaration::dead_letters("tray")]);
    rig
}

/// On a thread of its own, since the admin client has a runtime of its own.
fn create(rig: &Rig, topics: &[TopicDeclaration]) {
    thread::scope(|scope| scope.spawn(|| create_topics(&rig.settings, topics).unwrap()).join().unwrap());
}

fn started(rig: &Rig) -> Sink {
    let settings = Settings { run: unique("run"), ..rig.settings.clone() };
    let asked = rig.asked.clone();
    let resolve = move |id| asked.lock().unwrap().push(id);
    Sink::start(settings, rig.schemas.clone(), "tray", vec![AMOUNTS.declaration()], resolve).unwrap()
}

fn replay(rig: &Rig) -> Sink {
    Sink::replay(rig.settings.clone(), rig.schemas.clone(), vec![AMOUNTS.declaration()], |_| {}).unwrap()
}

async fn records(sink: &mut Sink) -> Vec<SinkRecord> {
    match timeout(DEADLINE, sink.next()).await.expect("something comes in time").unwrap() {
        SinkEvent::Records(records) => records,
        other => panic!("{other:?}"),
    }
}

impl Outside {
    /// Takes assignments and records until `is_enough`.
    async fn take(&mut self, sink: &mut Sink, is_enough: impl Fn(&Self) -> bool) -> Result<(), StreamsError> {
        while !is_enough(self) {
            match timeout(DEADLINE, sink.next()).await.expect("something comes in time")? {
                SinkEvent::Assigned(partitions) => {
                    let known = |at: TopicPartition| self.positions.get(&at).map(|next| (at.clone(), *next));
                    sink.start_at(partitions.into_iter().filter_map(known));
                }
                SinkEvent::Records(records) => records.iter().for_each(|record| self.write(record)),
            }
        }
        Ok(())
    }

    fn write(&mut self, record: &SinkRecord) {
        if let Some(next) = self.positions.insert(record.source().clone(), record.offset() + 1) {
            assert!(next <= record.offset(), "records of a partition come in their order, each once");
        }
        self.cents.push(record.value::<Amount>().unwrap().cents);
    }

    fn sorted(&self) -> Vec<i64> {
        let mut cents = self.cents.clone();
        cents.sort_unstable();
        cents
    }
}

#[tokio::test]
async fn records_come_from_all_partitions_with_their_coordinates_key_and_time() {
    let rig = rig();
    let record = rig.encoded("a", 5).at_ms(1_700_000_000_000).header("traceparent", "00-trace");
    let record = record.header("processed-at", "1700000000001");
    let written = rig.write([record]).remove(0);
    let mut sink = started(&rig);
    let partitions = timeout(DEADLINE, sink.assigned()).await.unwrap().unwrap();
    assert_eq!(partitions.len(), 4);
    sink.start_at([]);
    let record = &records(&mut sink).await[0];
    assert_eq!(
        (&*record.source().topic, record.source().partition, record.offset()),
        ("amounts", written.partition, 0)
    );
    assert_eq!((record.key().unwrap(), record.timestamp()), ("a", Timestamp(1_700_000_000_000)));
    assert_eq!((record.traceparent(), record.value::<Amount>().unwrap().cents), (Some("00-trace"), 5));
    assert_eq!(record.processed_at(), Some(Timestamp(1_700_000_000_001)));
}

#[tokio::test]
async fn a_record_that_does_not_say_when_it_was_written_has_no_such_time() {
    let rig = rig();
    let unreadable = [b"yesterday".to_vec(), b"\xff".to_vec(), b"99999999999999999999".to_vec()];
    rig.write([rig.encoded("a", 1)]);
    rig.write(unreadable.map(|time| rig.encoded("a", 1).header("processed-at", time)));
    let mut sink = started(&rig);
    timeout(DEADLINE, sink.assigned()).await.unwrap().unwrap();
    sink.start_at([]);
    let mut count = 0;
    while count < 4 {
        let records = records(&mut sink).await;
        assert!(records.iter().all(|record| record.processed_at().is_none()), "{records:?}");
        count += records.len();
    }
}

#[tokio::test]
async fn reading_goes_on_from_the_positions_that_the_sink_has_kept() {
    let rig = rig();
    rig.write((0..20).map(|cents| rig.encoded(&format!("till-{cents}"), cents)));
    let mut outside = Outside::default();
    let mut first = started(&rig);
    outside.take(&mut first, |outside| outside.cents.len() >= 20).await.unwrap();
    drop(first);
    rig.write((20..30).map(|cents| rig.encoded(&format!("till-{cents}"), cents)));
    outside.take(&mut started(&rig), |outside| outside.cents.len() >= 30).await.unwrap();
    assert_eq!(outside.sorted(), (0..30).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_start_that_is_repeated_takes_reading_back() {
    let rig = rig();
    rig.write([rig.encoded("a", 1), rig.encoded("a", 2)]);
    let mut sink = started(&rig);
    let mut outside = Outside::default();
    outside.take(&mut sink, |outside| outside.cents.len() >= 2).await.unwrap();
    sink.start_at([]);
    rig.write([rig.encoded("a", 4)]);
    let mut again = Outside::default();
    again.take(&mut sink, |again| again.cents.len() >= 3).await.unwrap();
    assert_eq!(again.cents, [1, 2, 4]);
}

#[tokio::test]
async fn nothing_is_read_before_the_sink_says_where_to_begin() {
    let rig = rig();
    rig.write([rig.encoded("a", 1)]);
    let mut sink = started(&rig);
    timeout(DEADLINE, sink.assigned()).await.unwrap().unwrap();
    assert!(timeout(Duration::from_millis(500), sink.next()).await.is_err());
    sink.start_at([]);
    assert_eq!(records(&mut sink).await.len(), 1);
}

#[tokio::test]
async fn a_second_instance_takes_its_share_and_gives_it_back() {
    let rig = rig();
    let (mut first, beside) = (started(&rig), rig.instance("1"));
    assert_eq!(timeout(DEADLINE, first.assigned()).await.unwrap().unwrap().len(), 4);
    let mut second = started(&beside);
    let shares = async {
        let mut shares = (4, 0);
        while shares != (2, 2) {
            tokio::select! {
                partitions = first.assigned() => shares.0 = partitions.unwrap().len(),
                partitions = second.assigned() => shares.1 = partitions.unwrap().len(),
            }
        }
    };
    timeout(DEADLINE, shares).await.expect("each has its share");
    drop(second);
    let all = async { while first.assigned().await.unwrap().len() != 4 {} };
    timeout(DEADLINE, all).await.expect("the other one's partitions come back when its session is over");
}

#[tokio::test]
async fn a_slow_sink_holds_fetching_back_and_loses_nothing() {
    let rig = rig();
    let count = 20_000;
    let large = |cents| rig.encoded(&format!("till-{cents}"), cents).header("padding", vec![b' '; 2000]);
    rig.write((0..count).map(large));
    let mut sink = started(&rig);
    for _ in 0..5 {
        Outside::default().take(&mut sink, |outside| !outside.cents.is_empty()).await.unwrap();
        // What is held back must come all the same when reading begins anew.
        sink.start_at([]);
    }
    let mut outside = Outside::default();
    outside.take(&mut sink, |outside| outside.cents.len() >= count as usize).await.unwrap();
    assert_eq!(outside.sorted(), (0..count).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_partition_waits_for_a_schema_and_the_others_go_on() {
    let rig = rig();
    let unknown = SchemaId(4712);
    rig.write([rig.encoded("a", 1), with_schema_id(rig.encoded("a", 2), unknown.0), rig.encoded("a", 4)]);
    let elsewhere = (0..100).map(|n| format!("till-{n}"));
    let elsewhere =
        elsewhere.into_iter().find(|till| streams_kafka::partition_of(till, 4) != streams_kafka::partition_of("a", 4));
    rig.write([rig.encoded(&elsewhere.unwrap(), 8)]);
    let mut sink = started(&rig);
    let mut outside = Outside::default();
    outside.take(&mut sink, |outside| outside.cents.len() >= 2).await.unwrap();
    assert_eq!(outside.sorted(), [1, 8]);
    assert_eq!(rig.asked.lock().unwrap().first(), Some(&unknown));
    rig.schemas.learn(unknown, Amount::SCHEMA).unwrap();
    outside.take(&mut sink, |outside| outside.cents.len() >= 4).await.unwrap();
    assert_eq!(outside.sorted(), [1, 2, 4, 8]);
}

#[tokio::test]
async fn what_is_put_aside_is_in_the_dead_letters_when_the_call_returns() {
    let rig = rig();
    let written = rig.write([RawRecord::new("a", "no avro at all").header("colour", "blue")]).remove(0);
    let mut sink = started(&rig);
    timeout(DEADLINE, sink.assigned()).await.unwrap().unwrap();
    sink.start_at([]);
    let record = records(&mut sink).await.remove(0);
    let cause = record.value::<Amount>().unwrap_err();
    sink.dead_letters().put(&record, &cause).await.unwrap();
    let letter = rig.read("tray-dead-letters").remove(0);
    assert_eq!((&letter.key, &letter.value), (&written.key, &written.value));
    assert_eq!(letter.header_value("colour"), Some(&b"blue"[..]));
    assert_eq!(letter.header_value("dead-letter-offset"), Some(&b"0"[..]));
    assert!(letter.header_value("dead-letter-cause").unwrap().starts_with(b"the value cannot be decoded"));
}

#[tokio::test]
async fn a_position_that_is_not_in_the_log_ends_the_sink_with_the_remedy() {
    let rig = rig();
    rig.write([rig.encoded("a", 1)]);
    let mut sink = started(&rig);
    let partitions = timeout(DEADLINE, sink.assigned()).await.unwrap().unwrap();
    sink.start_at(partitions.into_iter().map(|partition| (partition, 100)));
    let error = timeout(DEADLINE, async {
        loop {
            if let Err(error) = sink.next().await {
                return error;
            }
        }
    });
    let error = error.await.expect("it ends");
    assert!(error.to_string().contains("set the position where the sink keeps it"), "{error}");
}

#[tokio::test]
async fn a_sink_waits_for_its_topics_and_says_so() {
    let rig = Rig::bare();
    let mut sink = started(&rig);
    let status = sink.status();
    eventually("it says which topic is missing", DEADLINE, async || {
        status.borrow().to_string().contains("amounts").then_some(())
    })
    .await;
    create(&rig, &[AMOUNTS.declaration()]);
    assert_eq!(timeout(DEADLINE, sink.assigned()).await.unwrap().unwrap().len(), 4);
}

#[tokio::test]
async fn a_replay_reads_everything_beside_a_sink_that_does_not_notice() {
    let rig = rig();
    rig.write((0..3000).map(|cents| rig.encoded(&format!("till-{cents}"), cents)));
    let (mut outside, mut sink) = (Outside::default(), started(&rig));
    outside.take(&mut sink, |outside| outside.cents.len() >= 3000).await.unwrap();
    let mut replay = replay(&rig);
    let ends = replay.extents().await.unwrap().into_iter().map(|(at, extent)| (at, extent.end)).collect();
    assert_eq!(outside.positions, ends);
    let mut replayed = Outside::default();
    replayed.take(&mut replay, |replayed| replayed.positions == ends).await.unwrap();
    assert_eq!(replayed.sorted(), outside.sorted());

    rig.write([rig.encoded("a", 7000)]);
    replayed.take(&mut replay, |replayed| replayed.cents.contains(&7000)).await.unwrap();
    outside.take(&mut sink, |outside| outside.cents.contains(&7000)).await.unwrap();
    assert_eq!(outside.cents.len(), 3001, "the sink went on where it was");
}

#[tokio::test]
async fn a_replay_that_nobody_takes_from_for_a_while_loses_nothing() {
    let rig = rig();
    let count = 20_000;
    rig.write((0..count).map(|cents| rig.encoded(&format!("till-{cents}"), cents)));
    let mut replay = replay(&rig);
    Outside::default().take(&mut replay, |outside| !outside.cents.is_empty()).await.unwrap();
    // What waits to be taken must not come once more when reading begins anew.
    replay.start_at([]);
    let mut outside = Outside::default();
    outside.take(&mut replay, |outside| outside.cents.len() >= count as usize).await.unwrap();
    assert_eq!(outside.sorted(), (0..count).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_extents_of_topics_leave_out_what_holds_no_record() {
    let rig = rig();
    assert!(replay(&rig).extents().await.unwrap().is_empty());
    let written = rig.write([rig.encoded("a", 1), rig.encoded("a", 2)]).remove(0);
    let extents = replay(&rig).extents().await.unwrap();
    let at = TopicPartition { topic: "amounts".into(), partition: written.partition };
    assert_eq!(extents.into_iter().collect::<Vec<_>>(), [(at, 0..2)]);
}

#[tokio::test]
async fn a_record_is_told_of_while_it_is_taken_out_and_not_when_it_is_replayed() {
    let mut rig = rig();
    let ended = watched(&mut rig, Hops::Parent);
    rig.write([traced(rig.encoded("a", 1), PARENT)]);
    for mut sink in [replay(&rig), started(&rig)] {
        timeout(DEADLINE, sink.assigned()).await.unwrap().unwrap();
        sink.start_at([]);
        let record = &records(&mut sink).await[0];
        let (mut processing, calling) = (record.processing(), record.calling("ring up"));
        assert!(ended.named("ring up").is_empty(), "neither has ended");
        processing.fail(&"the drawer is stuck");
        drop((processing, calling));
    }
    let process = ended.only(&format!("process {}", rig.settings.topic("amounts")));
    let call = ended.only("ring up");
    assert_eq!((process.span_kind, call.span_kind), (SpanKind::Consumer, SpanKind::Client));
    assert_eq!(process.parent_span_id, call.parent_span_id);
    assert_eq!(process.status, SpanStatus::error("the drawer is stuck"));
}
