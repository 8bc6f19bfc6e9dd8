use anyhow::Context;
use shared_schemas::{CheckResult, Order, OrderState};

use crate::harness::{Inventory, created, next, passes, received};

#[tokio::test]
async fn a_service_that_is_killed_between_orders_repeats_nothing_and_remembers_the_levels() -> anyhow::Result<()> {
    kill_between_orders(&[]).await
}

#[tokio::test]
async fn a_service_with_its_state_on_disk_remembers_the_levels_when_it_is_killed() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path().to_str().context("a path in UTF-8")?;
    kill_between_orders(&[("STATE_DIR", folder)]).await
}

#[tokio::test]
async fn a_service_that_is_killed_amid_orders_promises_each_piece_once() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[])?;
    let products = ["JUMPERS", "UNDERPANTS", "STOCKINGS"];
    let stock: Vec<_> = products.iter().map(|product| received(&format!("m-{product}"), product, 500)).collect();
    inventory.count(&stock)?;
    for product in products {
        inventory.level(product, 500, 0).await;
    }
    let orders: Vec<_> = (0..3000).map(|n| created(&format!("o-{n}"), products[n % products.len()], 1)).collect();
    let (before, after) = orders.split_at(1500);
    inventory.hear(before)?;
    inventory.verdicts(1).await;
    inventory.service.kill()?;
    inventory.hear(after)?;
    inventory.service.start()?;
    inventory.verdicts(1501).await;
    inventory.service.kill()?;
    inventory.service.start()?;

    let verdicts = inventory.verdicts(orders.len()).await;
    assert_eq!(passes(&verdicts), 1500);
    for product in products {
        inventory.level(product, 500, 500).await;
    }
    let failed: Vec<Order> = orders.iter().map(|order| next(order, OrderState::Failed)).collect();
    inventory.hear(&failed)?;
    for product in products {
        inventory.level(product, 500, 0).await;
    }
    assert_eq!(inventory.verdicts(orders.len()).await.len(), orders.len());
    Ok(())
}

async fn kill_between_orders(settings: &[(&str, &str)]) -> anyhow::Result<()> {
    let inventory = Inventory::started(settings)?;
    inventory.count(&[received("m-1", "JUMPERS", 2)])?;
    inventory.level("JUMPERS", 2, 0).await;
    let first = created("first", "JUMPERS", 1);
    inventory.hear(std::slice::from_ref(&first))?;
    inventory.verdicts(1).await;

    inventory.service.kill()?;
    inventory.hear(&[created("meanwhile", "JUMPERS", 1)])?;
    inventory.service.start()?;
    assert_eq!(inventory.verdicts(2).await["meanwhile"].result, CheckResult::Pass);

    inventory.service.kill()?;
    inventory.service.start()?;
    inventory.hear(&[created("after", "JUMPERS", 1)])?;
    let verdicts = inventory.verdicts(3).await;
    assert_eq!(verdicts["after"].reason.as_deref(), Some("1 asked for, 0 available"));
    inventory.level("JUMPERS", 2, 2).await;

    inventory.service.kill()?;
    inventory.service.start()?;
    inventory.hear(&[next(&first, OrderState::Failed)])?;
    inventory.level("JUMPERS", 2, 1).await;
    Ok(())
}
