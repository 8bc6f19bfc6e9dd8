use shared_schemas::{CheckResult, ORDERS, STOCK_MOVEMENTS};
use streams::subject;
use test_kit::RawRecord;

use crate::harness::{Inventory, created, received};

#[tokio::test]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_what_is_behind_it_is_judged() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[])?;
    let order = inventory.schemas.encode(&subject(ORDERS.name()), &created("good", "JUMPERS", 1))?;
    let movement = inventory.schemas.encode(&subject(STOCK_MOVEMENTS.name()), &received("m-1", "JUMPERS", 1))?;
    let garbage = |key: &str, good: &[u8]| {
        let record = |value: &[u8]| RawRecord::new(key, value);
        vec![
            record(b"not Avro at all"),
            record(&[&[0, 0x7f, 0xff, 0xff, 0xff], &good[5..]].concat()),
            record(&good[..good.len() - 1]),
            RawRecord { key: None, ..record(good) }.to_partition(0),
            RawRecord { value: None, ..record(good) },
        ]
    };
    let causes = ["decoded", "2147483647", "decoded", "no key", "no value"];
    let mut expected = Vec::new();
    for (topic, records) in
        [(&STOCK_MOVEMENTS.name(), garbage("JUMPERS", &movement)), (&ORDERS.name(), garbage("good", &order))]
    {
        let written = inventory.service.write(topic, records)?;
        expected.extend(
            written.into_iter().zip(causes).map(|(record, cause)| (inventory.service.topic(topic), record, cause)),
        );
    }
    // A movement of one product in the stream of another.
    let astray =
        inventory.service.write(STOCK_MOVEMENTS.name(), vec![RawRecord::new("STOCKINGS", movement.clone())])?;
    let topic = inventory.service.topic(STOCK_MOVEMENTS.name());
    expected.extend(astray.into_iter().map(|record| (topic.clone(), record, "JUMPERS")));

    inventory.count(&[received("m-1", "JUMPERS", 1)])?;
    inventory.level("JUMPERS", 1, 0).await;
    inventory.hear(&[created("good", "JUMPERS", 1)])?;
    assert_eq!(inventory.verdicts(1).await["good"].result, CheckResult::Pass);

    let dead = inventory.dead_letters(expected.len()).await;
    assert_eq!(dead.len(), expected.len());
    for (topic, record, cause) in &expected {
        let came_from = |letter: &&RawRecord| {
            text(letter, "dead-letter-topic") == *topic
                && text(letter, "dead-letter-partition") == record.partition.to_string()
                && text(letter, "dead-letter-offset") == record.offset.to_string()
        };
        let letter = dead.iter().find(came_from).expect("one for each");
        assert_eq!((&letter.key, &letter.value), (&record.key, &record.value), "the bytes are the original ones");
        assert!(text(letter, "dead-letter-cause").contains(cause), "{cause}: {letter:?}");
    }
    Ok(())
}

fn text(letter: &RawRecord, header: &str) -> String {
    String::from_utf8_lossy(letter.header_value(header).unwrap_or_default()).into_owned()
}
