use std::collections::BTreeMap;

use shared_schemas::{CUSTOMERS, STOCK_MOVEMENTS};

use crate::ecosystem;

#[tokio::test]
async fn customers_1_to_9_are_known() -> anyhow::Result<()> {
    let customers = ecosystem()?.topics.read(&CUSTOMERS).await?;
    let mut seeded: Vec<_> = customers.iter().map(|customer| (customer.value.id, customer.value.version)).collect();
    seeded.retain(|(id, _)| (1..=9).contains(id));
    seeded.sort_unstable();
    assert_eq!(seeded, (1..=9).map(|id| (id, 1)).collect::<Vec<_>>());
    assert!(customers.iter().all(|customer| customer.record.key_text() == customer.value.id.to_string()));
    Ok(())
}

#[tokio::test]
async fn there_are_many_jumpers_few_underpants_and_no_stockings() -> anyhow::Result<()> {
    let mut stock: BTreeMap<String, i64> = BTreeMap::new();
    for movement in ecosystem()?.topics.values(&STOCK_MOVEMENTS).await? {
        *stock.entry(movement.product).or_default() += movement.quantity;
    }
    assert_eq!(stock, [("JUMPERS".to_string(), 10_000_000), ("UNDERPANTS".to_string(), 20)].into());
    Ok(())
}
