use shared_schemas::ORDERS;
use streams::subject;
use test_kit::RawRecord;

use crate::harness::{Fraud, order};

#[tokio::test]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_what_is_behind_it_is_judged() -> anyhow::Result<()> {
    let fraud = Fraud::started(&[])?;
    let good = fraud.schemas.encode(&subject(ORDERS.name()), &order("good", 1, 1))?;
    let unknown_id = [&[0, 0x7f, 0xff, 0xff, 0xff], &good[5..]].concat();
    let record = |value: &[u8]| RawRecord::new("good", value).to_partition(0);
    let records = vec![
        record(b"not Avro at all"),
        record(&unknown_id),
        record(&good[..good.len() - 1]),
        RawRecord { key: None, ..record(&good) },
        RawRecord { value: None, ..record(&good) },
        record(&good),
    ];
    let mut written = fraud.service.write(ORDERS.name(), records)?;
    written.pop();

    assert!(fraud.results(1).await.contains_key("good"));
    let dead = fraud.dead_letters(written.len()).await;
    assert_eq!(dead.len(), written.len());
    for (record, cause) in written.iter().zip(["decoded", "2147483647", "decoded", "no key", "no value"]) {
        let offset = record.offset.to_string();
        let letter = dead.iter().find(|letter| text(letter, "dead-letter-offset") == offset).expect("one for each");
        assert_eq!((&letter.key, &letter.value), (&record.key, &record.value), "the bytes are the original ones");
        assert!(text(letter, "dead-letter-cause").contains(cause), "{cause}: {letter:?}");
        assert_eq!(text(letter, "dead-letter-topic"), fraud.service.topic(ORDERS.name()));
        assert_eq!(text(letter, "dead-letter-partition"), "0");
    }
    Ok(())
}

fn text(letter: &RawRecord, header: &str) -> String {
    String::from_utf8_lossy(letter.header_value(header).unwrap_or_default()).into_owned()
}
