//! Aborted transactions leave no trace in any store, any reader or any topic read with read_committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use streams_kafka::KafkaStreams;

use crate::rig::{Amount, DEADLINE, Gate, PROBE, Rig, TOTALS, adder, await_total, counted, plain_adder};

/// Offsets of a topic as a reader sees it that reads what was aborted, too.
fn end_offsets(rig: &Rig, topic: &str) -> i64 {
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &rig.settings.bootstrap_servers).create().unwrap();
    (0..4).map(|p| client.fetch_watermarks(&rig.settings.topic(topic), p, DEADLINE).unwrap().1).sum()
}

/// Takes the transactional id away from the engine in the middle of its transaction, as a rival instance would.
pub fn fence(rig: &Rig, slot: &str) {
    let rival: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &rig.settings.bootstrap_servers)
        .set("transactional.id", rig.settings.topic(slot))
        .create()
        .unwrap();
    rival.init_transactions(DEADLINE).unwrap();
}

/// The total is 10 + 20 + 30, each said once, whatever was tried in between; nothing more is in the changelog, and a
/// restart restores it.
fn assert_as_if_nothing_had_happened(rig: &Rig, streams: KafkaStreams) {
    assert_eq!(rig.await_sums(3), [10, 30, 60]);
    await_total(&streams.view(&TOTALS), "a", 60);
    streams.join();
    let changelog = rig.read("adder-totals-changelog");
    let totals: Vec<i64> = changelog.iter().map(|record| rig.decoded(record).cents).collect();
    assert!(totals.is_sorted() && totals.last() == Some(&60), "{totals:?}");
    assert!(rig.read("adder-dead-letters").is_empty());
    let restarted = rig.start_and_await(plain_adder());
    await_total(&restarted.view(&TOTALS), "a", 60);
    restarted.join();
    assert_eq!(rig.sums(), [10, 30, 60], "a restart says nothing again");
}

#[test]
fn an_abort_in_the_middle_of_an_epoch_leaves_no_trace() {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let meddle = move |total: &Amount| {
        if total.cents == 60 {
            at_gate.stand();
        }
        total.clone()
    };
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(adder(meddle));
    let view = streams.view(&TOTALS);
    rig.write([rig.encoded("a", 10), rig.encoded("a", 20), rig.encoded("a", 30)]);
    gate.await_arrival();
    // A thread that stands still may also be too long without the broker to answer at all.
    let visible = view.get("a").ok().flatten().map(|total| total.cents);
    assert_ne!(visible, Some(60), "what is not committed is not seen");
    fence(&rig, "adder-0-0");
    gate.open();
    assert_as_if_nothing_had_happened(&rig, streams);
}

#[test]
fn an_abort_after_a_record_that_was_too_large_for_the_broker_leaves_no_trace() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let seen = attempts.clone();
    let meddle = move |total: &Amount| {
        let is_first_attempt = total.cents == 60 && seen.fetch_add(1, Ordering::Relaxed) == 0;
        let note = if is_first_attempt { "x".repeat(500_000) } else { String::new() };
        Amount { note, ..total.clone() }
    };
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(adder(meddle));
    // Behind the engine's back, after it has looked: only the broker finds the record too large.
    let sums = rig.settings.topic("sums");
    rig.broker.alter_topic(&sums, &[("max.message.bytes", "100000")]).unwrap();
    test_kit::eventually_blocking("the new limit holds", DEADLINE, || {
        let probe = Amount { till: PROBE.to_string(), cents: 0, note: "x".repeat(500_000) };
        let probe = test_kit::RawRecord::new(PROBE, rig.schemas.encode("sums-value", &probe).unwrap());
        rig.broker.write(&sums, [probe]).is_err().then_some(())
    });
    rig.write([rig.encoded("a", 10), rig.encoded("a", 20), rig.encoded("a", 30)]);
    assert_eq!(rig.await_sums(3), [10, 30, 60]);
    rig.broker.alter_topic(&sums, &[("max.message.bytes", "1048588")]).unwrap();
    assert_as_if_nothing_had_happened(&rig, streams);
    assert!(attempts.load(Ordering::Relaxed) >= 2, "the record was tried again");
}

#[test]
fn a_record_that_is_too_large_is_put_aside_before_it_is_sent() {
    let meddle = |total: &Amount| {
        let note = if total.cents == 23 { "x".repeat(1_000_000) } else { String::new() };
        Amount { note, ..total.clone() }
    };
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(adder(meddle));
    rig.write([10, 13, 20, 30].map(|cents| rig.encoded("a", cents)));
    assert_eq!(rig.await_sums(3), [10, 30, 60], "neither its output nor its change of state is left");
    let letters = rig.read("adder-dead-letters");
    let cause = String::from_utf8_lossy(letters[0].header_value("dead-letter-cause").unwrap()).into_owned();
    assert!(letters.len() == 1 && cause.contains("over the limit"), "{cause}");
    streams.join();
}

#[test]
fn a_handler_that_panics_leaves_no_trace_but_its_record_in_the_dead_letters() {
    let meddle = |total: &Amount| {
        assert!(total.cents != 13 + 10, "thirteen");
        total.clone()
    };
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(adder(meddle));
    let records = [10, 13, 20, 30].map(|cents| rig.encoded("a", cents));
    let written = rig.write(records);
    assert_eq!(rig.await_sums(3), [10, 30, 60]);
    await_total(&streams.view(&TOTALS), "a", 60);
    let letters = rig.read("adder-dead-letters");
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].value, written[1].value, "the original bytes");
    let cause = String::from_utf8_lossy(letters[0].header_value("dead-letter-cause").unwrap()).into_owned();
    assert!(cause.contains("thirteen"), "{cause}");
    streams.join();
}

#[test]
fn transactions_of_others_that_were_aborted_are_never_processed() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    let topic = rig.settings.topic("amounts");
    rig.write([rig.encoded("a", 10)]);
    rig.broker.write_aborted(&topic, [rig.encoded("a", 1000)]).unwrap();
    rig.write([rig.encoded("a", 20), rig.encoded("a", 30)]);
    assert!(end_offsets(&rig, "amounts") >= 5, "the aborted record takes up an offset");
    assert_as_if_nothing_had_happened(&rig, streams);
}

#[test]
fn a_producer_that_is_fenced_again_and_again_loses_and_doubles_nothing() {
    let rig = Rig::new(plain_adder());
    let streams = rig.start_and_await(plain_adder());
    let view = streams.view(&TOTALS);
    let mut expected = Vec::new();
    for n in 1..=5 {
        rig.write((0..40).map(|_| rig.encoded("a", 1)));
        fence(&rig, "adder-0-0");
        expected.extend((n - 1) * 40 + 1..=n * 40);
    }
    await_total(&view, "a", 200);
    assert_eq!(rig.sums(), expected);
    streams.join();
}

#[test]
fn a_transaction_that_was_slow_to_end_costs_the_producer_and_nothing_else() {
    let rebuilt = || counted("streams_producer_rebuilds_total", ("cause", "slow"));
    let before = rebuilt();
    let mut rig = Rig::new(plain_adder());
    // No EndTxn is faster than this.
    rig.settings.retry_backoff = Duration::ZERO;
    let streams = rig.start_and_await(plain_adder());
    let view = streams.view(&TOTALS);
    for n in 1..=4 {
        rig.write([rig.encoded("a", 1), rig.encoded("a", 1)]);
        await_total(&view, "a", 2 * n);
    }
    streams.join();
    assert_eq!(rig.sums(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(rebuilt() - before >= 3.0, "between two transactions the producer is rebuilt");
}
