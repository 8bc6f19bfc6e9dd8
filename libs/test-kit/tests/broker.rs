use std::time::Duration;

use test_kit::{RawRecord, eventually, eventually_blocking, infrastructure, unique};

#[test]
fn what_was_written_is_read_back_as_it_was() -> anyhow::Result<()> {
    let (broker, topic) = (infrastructure().broker(), unique("letters"));
    broker.create_topic(&topic, 3, &[])?;
    let written = broker.write(
        &topic,
        [
            RawRecord::new("a", "first").to_partition(2).header("cause", "none").at_ms(1_700_000_000_000),
            RawRecord::new("b", "second").to_partition(0).at_ms(1_700_000_000_001),
            RawRecord { value: None, ..RawRecord::new("a", "").to_partition(2).at_ms(1_700_000_000_002) },
        ],
    )?;

    let read = broker.read_all(&topic)?;

    assert_eq!(read, [written[1].clone(), written[0].clone(), written[2].clone()]);
    assert_eq!((read[1].key_text(), read[1].offset, read[2].offset), ("a", 0, 1));
    assert_eq!(read[1].header_value("cause"), Some(&b"none"[..]));
    Ok(())
}

#[test]
fn records_of_an_aborted_transaction_are_not_read_and_do_not_hide_the_end() -> anyhow::Result<()> {
    let (broker, topic) = (infrastructure().broker(), unique("letters"));
    broker.create_topic(&topic, 1, &[])?;
    broker.write_aborted(&topic, [RawRecord::new("a", "never")])?;
    assert_eq!(broker.read_all(&topic)?, []);

    broker.write(&topic, [RawRecord::new("a", "written")])?;
    broker.write_aborted(&topic, [RawRecord::new("a", "never")])?;

    let values: Vec<_> = broker.read_all(&topic)?.into_iter().filter_map(|record| record.value).collect();
    assert_eq!(values, [b"written"]);
    Ok(())
}

#[test]
fn a_topic_that_is_not_there_is_an_error() {
    assert!(infrastructure().broker().read_all(&unique("nothing")).is_err());
}

#[test]
fn every_database_is_a_new_one() -> anyhow::Result<()> {
    let (one, other) = (infrastructure().database("ledger")?, infrastructure().database("ledger")?);
    assert!(one.starts_with("postgres://") && one.contains("/ledger-"), "{one}");
    assert_ne!(one, other);
    Ok(())
}

#[tokio::test]
async fn waiting_ends_with_the_condition() {
    let mut asked = 0;
    let found = eventually("the third question is answered", Duration::from_secs(10), async || {
        asked += 1;
        (asked == 3).then_some("answer")
    })
    .await;
    assert_eq!(found, "answer");
}

#[test]
#[should_panic(expected = "not within 20ms: pigs fly")]
fn waiting_in_vain_says_what_for() {
    eventually_blocking::<()>("pigs fly", Duration::from_millis(20), || None);
}
