//! Two instances that share the partitions: whoever is asked answers.

use std::time::Duration;

use test_kit::{answer, eventually, problem};
use tokio::task::JoinSet;

use crate::harness::{CREATE, Customers, customer, new_id};

const DEADLINE: Duration = Duration::from_secs(60);

/// Two instances, each of which has partitions.
async fn pair() -> anyhow::Result<[Customers; 2]> {
    let one = Customers::started(&[])?;
    let two = one.beside()?;
    for instance in [&one, &two] {
        served_by(instance).await;
    }
    Ok([one, two])
}

/// Id of a new customer that this instance serves.
async fn served_by(instance: &Customers) -> i64 {
    eventually("each instance has partitions", DEADLINE, async || {
        let id = new_id();
        instance.service.serves("customers", &id.to_string()).await.then_some(id)
    })
    .await
}

#[tokio::test]
async fn any_instance_answers_any_request() -> anyhow::Result<()> {
    let [one, two] = &pair().await?;
    for owner in [one, two] {
        for (writer, reader) in [(one, two), (two, one)] {
            let id = served_by(owner).await;
            problem(reader.get(id, "?timeout=0").await?, 404).await?;
            let created = writer.create(id).await?;
            assert_eq!(answer(reader.get(id, "?timeout=0").await?, 200).await?, created);
            let changed = answer(reader.put(id, ("If-Match", "\"1\""), &customer("Grace")).await?, 200).await?;
            let refused = problem(writer.put(id, ("If-Match", "\"1\""), &customer("Ada")).await?, 412).await?;
            assert_eq!(refused["customer"], changed);
        }
    }
    Ok(())
}

#[tokio::test]
async fn of_twenty_clients_at_two_instances_one_wins() -> anyhow::Result<()> {
    let [one, two] = &pair().await?;
    let id = served_by(one).await;
    one.create(id).await?;
    let same = customer("Grace");
    let ask = |number: usize| [one, two][number % 2].putting(id, ("If-Match", "\"1\""), &same).send();
    let clients: JoinSet<_> = (0..20).map(ask).collect();
    let responses: Result<Vec<_>, _> = clients.join_all().await.into_iter().collect();
    let mut statuses: Vec<_> = responses?.iter().map(|response| response.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[200].as_slice(), &[412; 19]].concat());
    assert_eq!(one.versions(id)?, [1, 2]);
    Ok(())
}

#[tokio::test]
async fn a_client_whose_owner_is_killed_is_answered_when_the_owner_is_back() -> anyhow::Result<()> {
    let [one, two] = &pair().await?;
    let id = served_by(one).await;
    one.service.kill()?;
    let client = tokio::spawn(two.putting(id, CREATE, &customer("Ada")).send());
    one.service.start()?;
    assert_eq!(answer(client.await??, 201).await?["version"], 1);
    assert_eq!(answer(two.get(id, "?timeout=0").await?, 200).await?["id"], id);
    assert_eq!(two.versions(id)?, [1]);
    Ok(())
}
