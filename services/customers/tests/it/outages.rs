use std::time::Duration;

use local::Stack;
use test_kit::{answer, eventually, problem};

use crate::harness::{CREATE, Customers, customer};

const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_change_that_the_journal_does_not_acknowledge_can_be_made_again() -> anyhow::Result<()> {
    let stack = Stack::builder().only(["kafka"]).start()?;
    let kafka = stack.addresses().kafka_bootstrap;
    let customers = Customers::started(&[("KAFKA_BOOTSTRAP", &kafka), ("JOURNAL_TIMEOUT_MS", "2000")])?;
    let known = customers.create(1).await?;

    stack.part("kafka").kill();
    let response = customers.put(2, CREATE, &customer("Ada")).await?;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(problem(response, 503).await?["id"], "2");

    stack.part("kafka").start()?;
    eventually("the customer is there, by this request or the one before", DEADLINE, async || {
        let again = customers.put(2, CREATE, &customer("Ada")).await.ok()?;
        assert!([201, 202, 412, 503].contains(&again.status().as_u16()), "{again:?}");
        [201, 412].contains(&again.status().as_u16()).then_some(())
    })
    .await;
    assert_eq!(answer(customers.get(1, "").await?, 200).await?, known);
    assert_eq!(answer(customers.get(2, "").await?, 200).await?["version"], 1);
    Ok(())
}
