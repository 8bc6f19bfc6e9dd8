//! Every order belongs to one instance, and every instance answers for it.

use std::time::Duration;

use e2e::NewOrder;
use reqwest::StatusCode;
use test_kit::unique;

use crate::ecosystem;

/// Enough to have some in every partition.
const ORDERS: usize = 20;

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_order_is_placed_through_any_instance_and_read_through_any() -> anyhow::Result<()> {
    let instances = ecosystem()?.instances;
    for placed_through in &instances {
        for _ in 0..ORDERS {
            let order = NewOrder::good(unique("order"));
            assert_eq!(placed_through.place(&order).await?.status, StatusCode::CREATED);
            let verdict = placed_through.verdict(&order.id).await?;
            assert_eq!(verdict.state, "VALIDATED");
            for read_through in &instances {
                assert_eq!(read_through.get(&order.id).await?.order()?, verdict);
                assert_eq!(read_through.verdict(&order.id).await?, verdict);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_read_waits_at_any_instance_for_an_order_that_does_not_exist_yet() -> anyhow::Result<()> {
    let instances = ecosystem()?.instances;
    for order in (0..ORDERS).map(|_| NewOrder::good(unique("order"))) {
        let [one, other] = &instances[..] else { panic!("{} instances are not two", instances.len()) };
        let (created, shown, verdict, also) = tokio::join!(
            one.place(&order),
            other.get_within(&order.id, PATIENCE),
            one.get_validated(&order.id, PATIENCE),
            other.get_validated(&order.id, PATIENCE),
        );
        assert_eq!(created?.status, StatusCode::CREATED);
        assert_eq!(shown?.order()?.id, order.id);
        assert_eq!(verdict?.order()?, also?.order()?);
    }
    Ok(())
}

#[tokio::test]
async fn every_instance_knows_what_does_not_exist() -> anyhow::Result<()> {
    for instance in ecosystem()?.instances {
        for _ in 0..ORDERS {
            let id = unique("nothing");
            assert_eq!(instance.get(&id).await?.status, StatusCode::NOT_FOUND, "{id}");
        }
        let id = unique("nothing");
        let answer = instance.get_validated(&id, Duration::from_millis(300)).await?;
        assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT, "{id}");
    }
    Ok(())
}
