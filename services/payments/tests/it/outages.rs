use std::time::Duration;

use local::Stack;
use test_kit::{answer, eventually, problem};

use crate::harness::{Payments, payment};

const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_payment_that_the_journal_does_not_acknowledge_can_be_sent_again() -> anyhow::Result<()> {
    let stack = Stack::builder().only(["kafka"]).start()?;
    let kafka = stack.addresses().kafka_bootstrap;
    let payments = Payments::started(&[("KAFKA_BOOTSTRAP", &kafka), ("JOURNAL_TIMEOUT_MS", "2000")])?;
    let known = payments.pay("known").await?;

    stack.part("kafka").kill();
    let response = payments.post(&payment("lost")).await?;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(problem(response, 503).await?["id"], "lost");

    stack.part("kafka").start()?;
    eventually("it is received under the same id", DEADLINE, async || {
        let again = payments.post(&payment("lost")).await.ok()?;
        assert!([201, 202, 503].contains(&again.status().as_u16()), "{again:?}");
        (again.status() == 201).then_some(())
    })
    .await;
    assert_eq!(answer(payments.get("known").await?, 200).await?, known);
    assert_eq!(payments.said("lost")?.len(), 1);
    Ok(())
}
