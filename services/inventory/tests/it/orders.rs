use shared_schemas::{CheckResult, Order, OrderState, OrderValidation};
use streams::Timestamp;

use crate::harness::{Inventory, created, next, passes, received};

#[tokio::test]
async fn the_stock_of_the_book_is_promised_first_come_first_served() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[])?;
    inventory.count(&[received("m-1", "UNDERPANTS", 75), received("m-2", "JUMPERS", 1)])?;
    inventory.level("UNDERPANTS", 75, 0).await;
    inventory.level("JUMPERS", 1, 0).await;

    inventory.hear(&[created("o-1", "UNDERPANTS", 3), created("o-2", "JUMPERS", 1)])?;
    inventory.verdicts(2).await;
    inventory.hear(&[created("o-3", "JUMPERS", 1)])?;
    let verdicts = inventory.verdicts(3).await;
    let verdict = |id: &str, reason: Option<&str>| OrderValidation {
        order_id: id.to_string(),
        check: "inventory".to_string(),
        result: if reason.is_none() { CheckResult::Pass } else { CheckResult::Fail },
        reason: reason.map(str::to_string),
        checked_at: Timestamp(1_700_000_000_000),
    };
    assert_eq!(verdicts["o-1"], verdict("o-1", None));
    assert_eq!(verdicts["o-2"], verdict("o-2", None));
    assert_eq!(verdicts["o-3"], verdict("o-3", Some("1 asked for, 0 available")));
    inventory.level("UNDERPANTS", 75, 3).await;
    inventory.level("JUMPERS", 1, 1).await;
    Ok(())
}

#[tokio::test]
async fn of_many_orders_at_once_one_gets_the_last_item_though_two_instances_hear_them() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[])?;
    let second = inventory.service.beside(&[("INSTANCE", "1")]);
    second.start()?;
    let products = ["JUMPERS", "UNDERPANTS", "STOCKINGS", "HATS", "GLOVES", "SCARVES"];
    let stock: Vec<_> = products.iter().map(|product| received(&format!("m-{product}"), product, 1)).collect();
    inventory.count(&stock)?;
    for product in products {
        inventory.level(product, 1, 0).await;
    }
    let orders: Vec<_> = (0..120).map(|n| created(&format!("o-{n}"), products[n % products.len()], 1)).collect();
    inventory.hear(&orders)?;
    let verdicts = inventory.verdicts(orders.len()).await;
    for product in products {
        let of_product = orders.iter().filter(|order| order.product == product);
        let winners = of_product.filter(|order| verdicts[&order.id].result == CheckResult::Pass).count();
        assert_eq!(winners, 1, "{product}");
        inventory.level(product, 1, 1).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_release_gives_the_item_to_the_next_order_and_is_made_once() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[])?;
    inventory.count(&[received("m-1", "JUMPERS", 5)])?;
    inventory.level("JUMPERS", 5, 0).await;
    let (first, other) = (created("first", "JUMPERS", 3), created("other", "JUMPERS", 2));
    inventory.hear(&[first.clone(), other.clone()])?;
    inventory.level("JUMPERS", 5, 5).await;

    inventory.hear(&[created("refused", "JUMPERS", 3)])?;
    assert_eq!(inventory.verdicts(3).await["refused"].result, CheckResult::Fail);
    inventory.hear(&[next(&first, OrderState::Failed), next(&first, OrderState::Failed)])?;
    inventory.level("JUMPERS", 5, 2).await;
    inventory.hear(&[next(&first, OrderState::Failed), created("next", "JUMPERS", 3)])?;
    assert_eq!(inventory.verdicts(4).await["next"].result, CheckResult::Pass);

    inventory.hear(&[next(&other, OrderState::Shipped), next(&other, OrderState::Shipped)])?;
    inventory.level("JUMPERS", 3, 3).await;
    inventory.hear(&[next(&other, OrderState::Cancelled), created("late", "JUMPERS", 1)])?;
    let verdicts = inventory.verdicts(5).await;
    assert_eq!(verdicts["late"].reason.as_deref(), Some("1 asked for, 0 available"));
    inventory.level("JUMPERS", 3, 3).await;
    Ok(())
}

#[tokio::test]
async fn an_order_that_ended_before_it_was_created_and_one_created_twice_get_one_verdict() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[])?;
    inventory.count(&[received("m-1", "JUMPERS", 5)])?;
    inventory.level("JUMPERS", 5, 0).await;
    let (overtaken, doubled) = (created("overtaken", "JUMPERS", 1), created("doubled", "JUMPERS", 2));
    inventory.hear(&[next(&overtaken, OrderState::Failed), overtaken.clone(), overtaken])?;
    inventory.hear(&[doubled.clone(), doubled.clone(), doubled.clone()])?;
    inventory.hear(&[next(&doubled, OrderState::Validated), created("last", "JUMPERS", 3)])?;
    let verdicts = inventory.verdicts(3).await;
    assert_eq!(passes(&verdicts), 2);
    let reason = verdicts["overtaken"].reason.as_deref();
    assert_eq!(reason, Some("the order had ended before its creation was heard of"));
    inventory.level("JUMPERS", 5, 5).await;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_had_fails_with_its_reason_and_does_not_hang() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[])?;
    inventory.count(&[received("m-1", "JUMPERS", 5)])?;
    inventory.level("JUMPERS", 5, 0).await;
    let refused = [
        (created("too-many", "JUMPERS", 6), "6 asked for, 5 available"),
        (created("most", "JUMPERS", i32::MAX), "2147483647 asked for, 5 available"),
        (created("unknown", "STOCKINGS", 1), "1 asked for, 0 available"),
        (created("nameless", "", 1), "1 asked for, 0 available"),
        (created("nothing", "JUMPERS", 0), "the quantity must be above 0, not 0"),
        (created("fewer", "JUMPERS", -1), "the quantity must be above 0, not -1"),
        (created("fewest", "STOCKINGS", i32::MIN), "the quantity must be above 0, not -2147483648"),
    ];
    inventory.hear(&refused.clone().map(|(order, _)| order))?;
    let verdicts = inventory.verdicts(refused.len()).await;
    for (Order { id, .. }, reason) in refused {
        assert_eq!((verdicts[&id].result, verdicts[&id].reason.as_deref()), (CheckResult::Fail, Some(reason)), "{id}");
    }
    inventory.level("JUMPERS", 5, 0).await;
    assert!(inventory.levels("STOCKINGS")?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_order_that_has_ended_is_forgotten_when_its_time_has_passed() -> anyhow::Result<()> {
    let inventory = Inventory::started(&[("ENDED_ORDERS_KEPT_MS", "1000")])?;
    inventory.count(&[received("m-1", "JUMPERS", 5)])?;
    inventory.level("JUMPERS", 5, 0).await;
    let later = |order: Order, ms: i64| Order { updated_at: Timestamp(1_700_000_000_000 + ms), ..order };
    inventory.hear(&[created("refused", "JUMPERS", 6), created("held", "JUMPERS", 1)])?;
    inventory.verdicts(2).await;
    inventory.hear(&[later(created("soon", "JUMPERS", 1), 999)])?;
    inventory.verdicts(3).await;
    let forgotten = || -> anyhow::Result<Vec<String>> {
        let entries = inventory.service.read_all("inventory-reservations-changelog")?;
        let removed = entries.iter().filter(|entry| entry.value.is_none());
        Ok(removed.map(|entry| entry.key_text().to_string()).collect())
    };
    assert!(forgotten()?.is_empty(), "it is not yet time");
    inventory.hear(&[later(created("late", "JUMPERS", 1), 1000)])?;
    inventory.verdicts(4).await;
    assert_eq!(forgotten()?, ["refused"], "what holds stock is not forgotten");
    Ok(())
}
