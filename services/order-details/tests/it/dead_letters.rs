use shared_schemas::ORDERS;
use test_kit::RawRecord;

use crate::harness::{OrderDetails, order};

#[tokio::test]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_what_is_behind_it_is_judged() -> anyhow::Result<()> {
    let check = OrderDetails::started(&[])?;
    let good = RawRecord::of(&ORDERS, &check.schemas, &order("good"))?.to_partition(0);
    let (records, causes): (Vec<_>, Vec<_>) = RawRecord::unreadable(&good).into_iter().unzip();
    let written = check.service.write(ORDERS.name(), records)?;
    check.service.write(ORDERS.name(), vec![good])?;

    assert_eq!(check.validations(1).await[0].order_id, "good");
    let written = written.into_iter().zip(causes).map(|(record, cause)| (ORDERS.name(), record, cause));
    check.service.assert_dead_letters(&written.collect::<Vec<_>>()).await;
    Ok(())
}
