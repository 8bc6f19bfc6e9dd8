use shared_schemas::{CheckResult, ORDERS, STOCK_MOVEMENTS};
use test_kit::RawRecord;

use crate::harness::{Inventory, created, received};

#[tokio::test]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_what_is_behind_it_is_judged() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[])?;
    let order = RawRecord::of(&ORDERS, &inventory.schemas, &created("good", "JUMPERS", 1))?;
    let movement = RawRecord::of(&STOCK_MOVEMENTS, &inventory.schemas, &received("m-1", "JUMPERS", 1))?;
    // A movement of one product in the stream of another.
    let astray = RawRecord { key: Some(b"STOCKINGS".to_vec()), ..movement.clone() };
    let mut movements = RawRecord::unreadable(&movement);
    movements.push((astray, "JUMPERS"));
    let mut written = Vec::new();
    for (topic, sent) in [(STOCK_MOVEMENTS.name(), movements), (ORDERS.name(), RawRecord::unreadable(&order))] {
        let (records, causes): (Vec<_>, Vec<_>) = sent.into_iter().unzip();
        let records = inventory.service.write(topic, records)?;
        written.extend(records.into_iter().zip(causes).map(|(record, cause)| (topic, record, cause)));
    }

    inventory.count(&[received("m-1", "JUMPERS", 1)])?;
    inventory.level("JUMPERS", 1, 0).await;
    inventory.hear(&[created("good", "JUMPERS", 1)])?;
    assert_eq!(inventory.verdicts(1).await["good"].result, CheckResult::Pass);

    inventory.service.assert_dead_letters(&written).await;
    Ok(())
}
