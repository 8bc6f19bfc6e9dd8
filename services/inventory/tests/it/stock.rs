use shared_schemas::{CheckResult, Order, StockMoved};
use streams::Timestamp;

use crate::harness::{Inventory, created, received};

#[tokio::test]
async fn what_was_in_the_log_at_the_first_start_is_read_before_any_order() -> anyhow::Result<()> {
    const PIECES: i32 = 20_000;
    let inventory = Inventory::prepared(&[])?;
    // The orders are older, few, and in the log before any movement.
    let earlier = |order| Order { updated_at: Timestamp(1_600_000_000_000), ..order };
    let products = ["JUMPERS", "UNDERPANTS", "STOCKINGS", "HATS"];
    let all: Vec<_> = products.iter().map(|it| earlier(created(&format!("all-{it}"), it, PIECES / 4))).collect();
    inventory.hear(&all)?;
    let pieces: Vec<_> =
        (0..PIECES).map(|n| received(&format!("m-{n}"), products[n.unsigned_abs() as usize % 4], 1)).collect();
    inventory.count(&pieces)?;
    inventory.service.start()?;

    let verdicts = inventory.verdicts(products.len()).await;
    for product in products {
        let verdict = &verdicts[&format!("all-{product}")];
        assert_eq!(verdict.result, CheckResult::Pass, "{verdict:?}");
        inventory.level(product, i64::from(PIECES / 4), i64::from(PIECES / 4)).await;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_written_while_the_service_was_away_is_read_before_any_order() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[])?;
    inventory.count(&[received("m-0", "JUMPERS", 1)])?;
    inventory.level("JUMPERS", 1, 0).await;
    assert!(inventory.service.stop()?.success(), "it ends in good order");
    inventory.hear(&[created("all", "JUMPERS", 5001)])?;
    let pieces: Vec<_> = (1..=5000).map(|n| received(&format!("m-{n}"), "JUMPERS", 1)).collect();
    inventory.count(&pieces)?;
    inventory.service.start()?;
    let verdict = &inventory.verdicts(1).await["all"];
    assert_eq!(verdict.result, CheckResult::Pass, "{verdict:?}");
    inventory.level("JUMPERS", 5001, 5001).await;
    Ok(())
}

#[tokio::test]
async fn a_movement_counts_once_however_often_it_is_written() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[])?;
    inventory.count(&[received("m-1", "JUMPERS", 10), received("m-1", "JUMPERS", 10)])?;
    inventory.level("JUMPERS", 10, 0).await;
    inventory.service.kill()?;
    inventory.service.start()?;
    inventory.count(&[received("m-1", "JUMPERS", 10), received("m-2", "JUMPERS", -4)])?;
    inventory.level("JUMPERS", 6, 0).await;
    Ok(())
}

#[tokio::test]
async fn every_level_is_whole_and_newer_than_the_one_before() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[])?;
    for (number, on_hand) in [(1, 1), (2, 3), (3, 6)] {
        let occurred_at = Timestamp(1_700_000_000_000 + number);
        let movement = StockMoved { occurred_at, ..received(&format!("m-{number}"), "JUMPERS", number) };
        inventory.count(&[movement])?;
        inventory.level("JUMPERS", on_hand, 0).await;
    }
    let levels = inventory.levels("JUMPERS")?;
    let seen: Vec<_> = levels.iter().map(|level| (level.version, level.updated_at.as_millis())).collect();
    assert_eq!(seen, [(1, 1_700_000_000_001), (2, 1_700_000_000_002), (3, 1_700_000_000_003)]);
    assert!(
        inventory.service.read_all("inventory-warehouse-inventory-changelog").is_err(),
        "the topic is the changelog"
    );
    Ok(())
}
