use shared_schemas::ORDERS;
use test_kit::RawRecord;

use crate::harness::{Fraud, order};

#[tokio::test]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_what_is_behind_it_is_judged() -> anyhow::Result<()> {
    let fraud = Fraud::started(&[])?;
    let good = RawRecord::of(&ORDERS, &fraud.schemas, &order("good", 1, 1))?.to_partition(0);
    let (records, causes): (Vec<_>, Vec<_>) = RawRecord::unreadable(&good).into_iter().unzip();
    let written = fraud.service.write(ORDERS.name(), records)?;
    fraud.service.write(ORDERS.name(), vec![good])?;

    assert!(fraud.results(1).await.contains_key("good"));
    let written = written.into_iter().zip(causes).map(|(record, cause)| (ORDERS.name(), record, cause));
    fraud.service.assert_dead_letters(&written.collect::<Vec<_>>()).await;
    Ok(())
}
