//! Two instances that share the partitions: whoever is asked answers.

use std::pin::pin;
use std::time::Duration;

use serde_json::Value;
use test_kit::{HTTP, answer, eventually, problem, unique};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::{DEADLINE, Orders, order};

const CHECK: &str = "order-details";

/// Two instances, each of which has partitions.
struct Pair {
    one: Orders,
    two: Orders,
}

impl Pair {
    async fn started() -> anyhow::Result<Self> {
        let one = Orders::started(&[])?;
        let two = one.beside(&[]);
        two.service.start()?;
        let pair = Self { one, two };
        pair.order_of(&pair.one).await;
        pair.order_of(&pair.two).await;
        Ok(pair)
    }

    /// Id of a new order that this instance serves.
    async fn order_of(&self, owner: &Orders) -> String {
        eventually("each instance has partitions", DEADLINE, async || {
            let id = unique("order");
            owner.serves(&id).await.then_some(id)
        })
        .await
    }
}

#[tokio::test]
async fn any_instance_answers_any_request() -> anyhow::Result<()> {
    let pair = Pair::started().await?;
    let (one, two) = (&pair.one, &pair.two);
    for owner in [one, two] {
        for (placed_at, read_at) in [(one, two), (two, one), (one, one), (two, two)] {
            let id = pair.order_of(owner).await;
            let created = placed_at.place(&id).await?;
            for at_once in ["", "?timeout=0"] {
                assert_eq!(answer(read_at.get(&format!("/v1/orders/{id}{at_once}")).await?, 200).await?, created);
            }
            one.pass(CHECK, &id)?;
            let validated = read_at.validated(&id).await?;
            assert_eq!((&validated["state"], &validated["version"]), (&"VALIDATED".into(), &2.into()));
            assert_eq!(placed_at.place(&id).await?, validated);
            let mut other = order(&id);
            other["quantity"] = 4.into();
            assert_eq!(problem(placed_at.post(&other).await?, 409).await?["order"], validated);
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_not_there_through_the_wrong_instance_either() -> anyhow::Result<()> {
    let pair = Pair::started().await?;
    let id = pair.order_of(&pair.one).await;
    let path = format!("/v1/orders/{id}");
    problem(pair.two.get(&format!("{path}?timeout=0")).await?, 404).await?;
    let long = format!("{path}?timeout=2500");
    let mut reader = pin!(pair.two.get(&long));
    assert!(timeout(Duration::from_millis(2400), reader.as_mut()).await.is_err(), "it waits as long as it was told to");
    problem(reader.await?, 504).await?;
    let created = pair.two.place(&id).await?;
    problem(pair.two.get(&format!("{path}/validated?timeout=0")).await?, 404).await?;
    problem(pair.two.get(&format!("{path}/validated?timeout=50")).await?, 504).await?;
    assert_eq!(answer(pair.two.get(&path).await?, 200).await?, created);
    Ok(())
}

#[tokio::test]
async fn an_id_of_many_dots_is_asked_for_as_it_is() -> anyhow::Result<()> {
    let pair = Pair::started().await?;
    for id in ["...", "..a", "a..b", "~", "-._~"] {
        for instance in [&pair.one, &pair.two] {
            assert_eq!(instance.place(id).await?["id"], id);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_thousand_readers_at_the_wrong_instance_are_woken_by_one_commit() -> anyhow::Result<()> {
    let pair = Pair::started().await?;
    let id = pair.order_of(&pair.one).await;
    let url = format!("{}/v1/orders/{id}?timeout=60000", pair.two.service.url());
    let readers: JoinSet<_> = (0..1000).map(|_| HTTP.get(&url).send()).collect();
    pair.two.waiters_are(1000).await;
    pair.one.waiters_are(1000).await;
    let created = pair.one.place(&id).await?;
    for response in readers.join_all().await {
        assert_eq!(answer(response?, 200).await?, created);
    }
    pair.one.waiters_are(0).await;
    pair.two.waiters_are(0).await;
    Ok(())
}

#[tokio::test]
async fn readers_who_hang_up_at_the_wrong_instance_leave_nothing_at_the_owner() -> anyhow::Result<()> {
    let pair = Pair::started().await?;
    let mut readers = JoinSet::new();
    for _ in 0..200 {
        let id = pair.order_of(&pair.one).await;
        readers.spawn(HTTP.get(format!("{}/v1/orders/{id}?timeout=60000", pair.two.service.url())).send());
    }
    pair.one.waiters_are(200).await;
    readers.shutdown().await;
    pair.one.waiters_are(0).await;
    pair.two.waiters_are(0).await;
    let id = pair.order_of(&pair.one).await;
    pair.two.place(&id).await?;
    Ok(())
}

#[tokio::test]
async fn an_owner_that_is_killed_while_it_is_asked_costs_time_and_nothing_else() -> anyhow::Result<()> {
    let pair = Pair::started().await?;
    let (id, later) = (pair.order_of(&pair.one).await, pair.order_of(&pair.one).await);
    let created = pair.one.place(&id).await?;
    let url = format!("{}/v1/orders/{id}/validated?timeout=60000", pair.two.service.url());
    let reader = tokio::spawn(HTTP.get(url).send());
    pair.one.waiters_are(1).await;
    pair.one.service.kill()?;
    let client = tokio::spawn(pair.two.posting(&order(&later)).send());
    pair.one.service.start()?;
    assert_eq!(answer(client.await??, 201).await?["id"], *later);
    assert_eq!(answer(pair.two.get(&format!("/v1/orders/{id}")).await?, 200).await?, created);
    pair.one.pass(CHECK, &id)?;
    assert_eq!(answer(reader.await??, 200).await?["state"], "VALIDATED");
    Ok(())
}

#[tokio::test]
async fn what_an_owner_served_that_does_not_come_back_is_served_by_the_other() -> anyhow::Result<()> {
    let pair = Pair::started().await?;
    let id = pair.order_of(&pair.one).await;
    let created = pair.one.place(&id).await?;
    let url = format!("{}/v1/orders/{id}/validated?timeout=60000", pair.two.service.url());
    let reader = tokio::spawn(HTTP.get(url).send());
    pair.one.waiters_are(1).await;
    pair.one.service.kill()?;
    pair.two.pass(CHECK, &id)?;
    let validated = answer(reader.await??, 200).await?;
    assert_eq!((&validated["state"], &validated["createdAt"]), (&"VALIDATED".into(), &created["createdAt"]));
    Ok(())
}

#[tokio::test]
async fn an_instance_that_leaves_hands_over_and_goes_on_answering() -> anyhow::Result<()> {
    let pair = Pair::started().await?;
    let (leaver, heir) = (&pair.one, &pair.two);
    let mut known = Vec::new();
    for instance in [leaver, heir] {
        let id = pair.order_of(instance).await;
        known.push(instance.place(&id).await?);
    }
    let waiting = pair.order_of(leaver).await;
    let reader = tokio::spawn(HTTP.get(format!("{}/v1/orders/{waiting}", leaver.service.url())).send());
    leaver.waiters_are(1).await;

    for _ in 0..2 {
        let left = HTTP.post(leaver.service.admin_url() + "/leave").send().await?;
        assert_eq!(answer(left, 200).await?["status"], "left");
    }
    let ready = answer(HTTP.get(leaver.service.admin_url() + "/readyz").send().await?, 503).await?;
    assert_eq!(ready["awaiting"]["streams"], "the instance has left its group");

    let created = leaver.place(&waiting).await?;
    assert_eq!(answer(reader.await??, 200).await?, created);
    for order in known.iter().chain([&created]) {
        let path = format!("/v1/orders/{}", order["id"].as_str().unwrap_or_default());
        assert_eq!(answer(leaver.get(&path).await?, 200).await?, *order);
        eventually("the heir serves it", DEADLINE, async || heir.serves(order["id"].as_str()?).await.then_some(()))
            .await;
        assert_eq!(answer(heir.get(&format!("{path}?timeout=0")).await?, 200).await?, *order);
    }
    assert!(leaver.service.stop()?.success());
    assert!(heir.service.stop()?.success());
    Ok(())
}

/// It is stopped for longer than its session, and asked before it can know that it has slept.
#[tokio::test]
async fn a_zombie_does_not_answer_from_the_past() -> anyhow::Result<()> {
    let pair = Pair::started().await?;
    let (zombie, heir) = (&pair.one, &pair.two);
    let id = pair.order_of(zombie).await;
    zombie.place(&id).await?;
    let (front, admin) = (zombie.service.url(), zombie.service.admin_url());
    zombie.service.pause()?;
    heir.pass(CHECK, &id)?;
    let validated = heir.validated(&id).await?;

    let mut readers = JoinSet::new();
    for _ in 0..50 {
        readers.spawn(HTTP.get(format!("{front}/v1/orders/{id}")).send());
        readers.spawn(HTTP.get(format!("{front}/v1/orders/{id}?timeout=0")).send());
        readers.spawn(HTTP.get(format!("{admin}/stores/orders?key={id}")).send());
    }
    zombie.service.resume()?;
    for response in readers.join_all().await {
        let response = response?;
        match response.status().as_u16() {
            200 => assert_eq!(response.json::<Value>().await?, validated),
            status => assert!([421, 503].contains(&status), "{response:?}"),
        }
    }
    assert_eq!(zombie.validated(&id).await?, validated);
    Ok(())
}
