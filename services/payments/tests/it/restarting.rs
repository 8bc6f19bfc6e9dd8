use serde_json::json;
use test_kit::{problem, unique};

use crate::harness::{Payments, payment};

#[tokio::test]
async fn a_service_that_was_stopped_or_killed_knows_every_payment_and_counts_none_again() -> anyhow::Result<()> {
    let payments = Payments::started(&[])?;
    let ids: Vec<_> = (0..20).map(|_| unique("payment")).collect();
    let mut received = Vec::new();
    for id in &ids {
        received.push(payments.pay(id).await?);
    }
    for is_killed in [false, true] {
        if is_killed {
            payments.service.kill()?;
        } else {
            assert!(payments.service.stop()?.success(), "it ends in good order");
        }
        payments.service.start()?;
        for (id, received) in ids.iter().zip(&received) {
            assert_eq!(payments.pay(id).await?, *received);
            let mut other = payment(id);
            other["amount"] = json!(16);
            problem(payments.post(&other).await?, 409).await?;
        }
    }
    for id in &ids {
        assert_eq!(payments.said(id)?.len(), 1);
    }
    Ok(())
}
