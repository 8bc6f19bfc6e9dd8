//! Two instances that share the partitions: whoever is asked answers.

use std::time::Duration;

use serde_json::json;
use test_kit::{answer, eventually, problem, unique};
use tokio::task::JoinSet;

use crate::harness::{Payments, payment};

const DEADLINE: Duration = Duration::from_secs(60);

/// Two instances, each of which has partitions.
async fn pair() -> anyhow::Result<[Payments; 2]> {
    let one = Payments::started(&[])?;
    let two = one.beside()?;
    for instance in [&one, &two] {
        served_by(instance).await;
    }
    Ok([one, two])
}

/// Id of a new payment that this instance serves.
async fn served_by(instance: &Payments) -> String {
    eventually("each instance has partitions", DEADLINE, async || {
        let id = unique("payment");
        instance.service.serves("payments", &id).await.then_some(id)
    })
    .await
}

#[tokio::test]
async fn any_instance_answers_any_request() -> anyhow::Result<()> {
    let [one, two] = &pair().await?;
    for owner in [one, two] {
        for (writer, reader) in [(one, two), (two, one)] {
            let id = served_by(owner).await;
            problem(reader.get(&format!("{id}?timeout=0")).await?, 404).await?;
            let received = writer.pay(&id).await?;
            assert_eq!(answer(reader.get(&format!("{id}?timeout=0")).await?, 200).await?, received);
            assert_eq!(reader.pay(&id).await?, received);
            let mut other = payment(&id);
            other["amount"] = json!(16);
            assert_eq!(problem(reader.post(&other).await?, 409).await?["payment"], received);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_payment_sent_to_both_instances_at_once_counts_once() -> anyhow::Result<()> {
    let [one, two] = &pair().await?;
    let id = served_by(one).await;
    let ask = |number: usize| [one, two][number % 2].posting(&payment(&id)).send();
    let clients: JoinSet<_> = (0..20).map(ask).collect();
    for response in clients.join_all().await {
        assert_eq!(answer(response?, 201).await?["id"], id);
    }
    assert_eq!(one.said(&id)?.len(), 1);
    Ok(())
}
