use std::collections::BTreeSet;

use shared_schemas::{ORDER_DETAILS_VALIDATIONS, ORDER_EXPIRATIONS, ORDER_REQUESTS, OrderExpired};
use streams::subject;
use streams_kafka::partition_of;
use test_kit::{RawRecord, eventually, unique};

use crate::harness::{DEADLINE, LONG_AGO, Orders};

/// What no service can read, with the cause that it must name, for one partition.
fn unreadable(orders: &Orders, topic: &str, partition: i32) -> anyhow::Result<Vec<(RawRecord, &'static str)>> {
    let expired = OrderExpired { order_id: "x".to_string(), missing: vec!["y".to_string()], expired_at: LONG_AGO };
    let good = orders.schemas.encode(&subject(ORDER_EXPIRATIONS.name()), &expired)?;
    let unknown_id = [&[0, 0x7f, 0xff, 0xff, 0xff], &good[5..]].concat();
    let record = |value: &[u8]| RawRecord::new(format!("{topic}-key"), value).header("origin", "a test");
    let records = [
        (record(b"not Avro at all"), "decoded"),
        (record(b""), "decoded"),
        (record(&good[..3]), "decoded"),
        (record(&unknown_id), "2147483647"),
        (record(&good[..good.len() - 1]), "decoded"),
        (RawRecord { key: None, ..record(&good) }, "no key"),
        (RawRecord { key: Some(b"\xff".to_vec()), ..record(&good) }, "UTF-8"),
        (RawRecord { value: None, ..record(&good) }, "no value"),
    ];
    Ok(records.into_iter().map(|(record, cause)| (record.to_partition(partition), cause)).collect())
}

#[tokio::test]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_what_is_behind_it_goes_on() -> anyhow::Result<()> {
    let (orders, id) = (Orders::started(&[])?, unique("order"));
    let partition = partition_of(&id, 4);
    let mut sent = Vec::new();
    for topic in [ORDER_REQUESTS.name(), ORDER_EXPIRATIONS.name(), ORDER_DETAILS_VALIDATIONS.name()] {
        let (records, causes): (Vec<_>, Vec<_>) = unreadable(&orders, topic, partition)?.into_iter().unzip();
        let written = orders.service.write(topic, records)?;
        sent.extend(written.into_iter().zip(causes).map(|(record, cause)| (topic, record, cause)));
    }

    orders.place(&id).await?;
    orders.pass("order-details", &id)?;
    assert_eq!(orders.validated(&id).await?["state"], "VALIDATED", "what is behind them is read");
    let dead = eventually("all are dead letters", DEADLINE, async || {
        orders.service.dead_letters().ok().filter(|dead| dead.len() >= sent.len())
    });
    let dead = dead.await;
    assert_eq!(dead.len(), sent.len());
    for (topic, record, cause) in &sent {
        let coordinates = [orders.service.topic(topic), partition.to_string(), record.offset.to_string()];
        let letter = dead.iter().find(|letter| coordinates_of(letter) == coordinates);
        let letter = letter.unwrap_or_else(|| panic!("{coordinates:?} is missing in {dead:#?}"));
        assert_eq!((&letter.key, &letter.value), (&record.key, &record.value), "the bytes are the original ones");
        assert_eq!(letter.header_value("origin"), Some(&b"a test"[..]), "so are the headers");
        assert!(text(letter, "dead-letter-cause").contains(cause), "{cause}: {letter:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_expiry_behind_unreadable_ones_is_heard_and_none_is_heard_twice() -> anyhow::Result<()> {
    let (orders, id) = (Orders::started(&[])?, unique("order"));
    let topic = ORDER_EXPIRATIONS.name();
    let records = unreadable(&orders, topic, partition_of(&id, 4))?;
    orders.service.write(topic, records.into_iter().map(|(record, _)| record).collect())?;
    orders.place(&id).await?;
    let expired =
        OrderExpired { order_id: id.clone(), missing: vec!["order-details".to_string()], expired_at: LONG_AGO };
    orders.write(&ORDER_EXPIRATIONS, &expired)?;
    assert_eq!(orders.validated(&id).await?["reasons"][0], "no verdict in time from order-details");

    orders.service.kill()?;
    orders.service.start()?;
    orders.place(&id).await?;
    let dead = orders.service.dead_letters()?;
    assert_eq!(dead.iter().map(coordinates_of).collect::<BTreeSet<_>>().len(), dead.len());
    Ok(())
}

fn coordinates_of(letter: &RawRecord) -> [String; 3] {
    ["dead-letter-topic", "dead-letter-partition", "dead-letter-offset"].map(|name| text(letter, name))
}

fn text(letter: &RawRecord, header: &str) -> String {
    String::from_utf8_lossy(letter.header_value(header).unwrap_or_default()).into_owned()
}
