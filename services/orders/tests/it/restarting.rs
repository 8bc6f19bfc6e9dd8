use serde_json::Value;
use test_kit::{answer, problem, unique};

use crate::harness::{Orders, order};

const CHECK: &str = "order-details";

#[tokio::test]
async fn a_service_that_was_stopped_or_killed_answers_as_before() -> anyhow::Result<()> {
    let orders = Orders::started(&[])?;
    let ids: Vec<_> = (0..20).map(|_| unique("order")).collect();
    for id in &ids {
        orders.place(id).await?;
    }
    orders.pass(CHECK, &ids[0])?;
    orders.fail(CHECK, &ids[1], "no")?;
    orders.validated(&ids[0]).await?;
    orders.validated(&ids[1]).await?;
    let before = all(&orders, &ids).await?;

    assert!(orders.service.stop()?.success(), "it ends in good order");
    orders.service.start()?;
    assert_eq!(all(&orders, &ids).await?, before);

    orders.service.kill()?;
    orders.service.start()?;
    assert_eq!(all(&orders, &ids).await?, before);

    assert_eq!(orders.place(&ids[0]).await?["version"], 2, "it is known, and not created again");
    let mut other = order(&ids[2]);
    other["quantity"] = 4.into();
    problem(orders.post(&other).await?, 409).await?;
    orders.pass(CHECK, &ids[2])?;
    assert_eq!(orders.validated(&ids[2]).await?["version"], 2);
    assert_eq!(orders.versions(&ids[0])?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn what_happened_while_the_service_was_down_is_heard() -> anyhow::Result<()> {
    let (orders, id) = (Orders::started(&[])?, unique("order"));
    orders.place(&id).await?;
    orders.service.kill()?;
    orders.pass(CHECK, &id)?;
    orders.service.start()?;
    assert_eq!(orders.validated(&id).await?["state"], "VALIDATED");
    Ok(())
}

async fn all(orders: &Orders, ids: &[String]) -> anyhow::Result<Vec<Value>> {
    let mut found = Vec::new();
    for id in ids {
        found.push(answer(orders.get(&format!("/v1/orders/{id}")).await?, 200).await?);
    }
    Ok(found)
}
