use std::collections::BTreeMap;

use shared_schemas::{CheckResult, Order, OrderState, OrderValidation};

use crate::harness::{OrderDetails, order};

fn by_id(validations: Vec<OrderValidation>) -> BTreeMap<String, OrderValidation> {
    let count = validations.len();
    let by_id: BTreeMap<_, _> = validations.into_iter().map(|it| (it.order_id.clone(), it)).collect();
    assert_eq!(by_id.len(), count, "no order is judged twice");
    by_id
}

#[tokio::test]
async fn every_created_order_is_judged_by_its_facts() -> anyhow::Result<()> {
    let check = OrderDetails::started(&[])?;
    let good = [
        order("fine"),
        Order { price_minor: 0, ..order("gift") },
        Order { quantity: 1_000_000, ..order("largest") },
        Order { quantity: 1, customer_id: 0, ..order("smallest") },
    ];
    let bad = [
        (Order { quantity: 0, ..order("none") }, "quantity"),
        (Order { quantity: -1, ..order("fewer") }, "quantity"),
        (Order { quantity: 1_000_001, ..order("too-many") }, "quantity"),
        (Order { price_minor: -1, ..order("paid-to-take") }, "price"),
        (Order { product: " \t".to_string(), ..order("blank") }, "product"),
        (Order { customer_id: -1, ..order("nobody") }, "customer"),
    ];
    check.write(&good)?;
    check.write(&bad.clone().map(|(order, _)| order))?;
    let validations = by_id(check.validations(good.len() + bad.len()).await);
    for order in good {
        let expected = OrderValidation {
            order_id: order.id.clone(),
            check: "order-details".to_string(),
            result: CheckResult::Pass,
            reason: None,
            checked_at: order.updated_at,
        };
        assert_eq!(validations[&order.id], expected);
    }
    for (order, reason) in bad {
        let validation = &validations[&order.id];
        assert_eq!(validation.result, CheckResult::Fail, "{validation:?}");
        assert!(validation.reason.as_deref().is_some_and(|given| given.contains(reason)), "{validation:?}");
    }
    Ok(())
}

#[tokio::test]
async fn only_created_orders_are_judged() -> anyhow::Result<()> {
    use OrderState::{Cancelled, Created, Failed, Paid, Shipped, Unknown, Validated};
    let check = OrderDetails::started(&[])?;
    let of_state = |state| Order { state, version: 2, ..order("order") };
    check.write(&[Validated, Failed, Paid, Shipped, Cancelled, Unknown].map(of_state))?;
    check.write(&[of_state(Created)])?;
    let validations = check.validations(1).await;
    assert_eq!(validations.len(), 1, "the last of seven records of one key is the first that is judged");
    Ok(())
}

#[tokio::test]
async fn the_largest_quantity_is_an_option() -> anyhow::Result<()> {
    let check = OrderDetails::started(&[("MAX_QUANTITY", "3")])?;
    check.write(&[order("three"), Order { quantity: 4, ..order("four") }])?;
    let validations = by_id(check.validations(2).await);
    assert_eq!(validations["three"].result, CheckResult::Pass);
    assert_eq!(validations["four"].reason.as_deref(), Some("the quantity must be at most 3, not 4"));
    Ok(())
}

#[tokio::test]
async fn a_service_that_was_stopped_or_killed_goes_on_and_repeats_nothing() -> anyhow::Result<()> {
    let check = OrderDetails::started(&[])?;
    let before: Vec<_> = (0..100).map(|number| order(&format!("before-{number}"))).collect();
    check.write(&before)?;
    check.validations(100).await;
    assert!(check.service.stop()?.success(), "it ends in good order");

    check.write(&[order("meanwhile")])?;
    check.service.start()?;
    by_id(check.validations(101).await);

    let torn: Vec<_> = (0..1000).map(|number| order(&format!("torn-{number}"))).collect();
    check.write(&torn)?;
    check.service.kill()?;
    check.service.start()?;
    let after: Vec<_> = (0..100).map(|number| order(&format!("after-{number}"))).collect();
    check.write(&after)?;
    assert_eq!(by_id(check.validations(1201).await).len(), 1201);
    Ok(())
}
