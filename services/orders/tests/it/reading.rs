use test_kit::{HTTP, answer, problem, unique};
use tokio::task::JoinSet;

use crate::harness::{Orders, shared};

#[tokio::test]
async fn a_reader_who_comes_before_the_order_is_woken_by_it() -> anyhow::Result<()> {
    let (orders, id) = (Orders::started(&[])?, unique("order"));
    let url = format!("{}/v1/orders/{id}?timeout=60000", orders.service.url());
    let reader = tokio::spawn(HTTP.get(url).send());
    orders.waiters_are(1).await;
    let created = orders.place(&id).await?;
    assert_eq!(answer(reader.await??, 200).await?, created);
    orders.waiters_are(0).await;
    Ok(())
}

#[tokio::test]
async fn a_reader_who_does_not_wait_learns_that_there_is_nothing() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    problem(orders.get(&format!("/v1/orders/{id}?timeout=0")).await?, 404).await?;
    problem(orders.get(&format!("/v1/orders/{id}/validated?timeout=0")).await?, 404).await?;
    let created = orders.place(&id).await?;
    assert_eq!(answer(orders.get(&format!("/v1/orders/{id}?timeout=0")).await?, 200).await?, created);
    problem(orders.get(&format!("/v1/orders/{id}/validated?timeout=0")).await?, 404).await?;
    Ok(())
}

#[tokio::test]
async fn a_reader_who_waits_in_vain_is_told_so() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    problem(orders.get(&format!("/v1/orders/{id}?timeout=50")).await?, 504).await?;
    orders.place(&id).await?;
    problem(orders.get(&format!("/v1/orders/{id}/validated?timeout=50")).await?, 504).await?;
    Ok(())
}

#[tokio::test]
async fn who_waits_for_the_verdict_is_woken_by_it_and_not_by_the_order() -> anyhow::Result<()> {
    let (orders, id) = (Orders::started(&[])?, unique("order"));
    let url = format!("{}/v1/orders/{id}/validated?timeout=60000", orders.service.url());
    let reader = tokio::spawn(HTTP.get(url).send());
    orders.waiters_are(1).await;
    orders.place(&id).await?;
    orders.waiters_are(1).await;
    orders.pass("order-details", &id)?;
    let validated = answer(reader.await??, 200).await?;
    assert_eq!((&validated["state"], &validated["version"]), (&"VALIDATED".into(), &2.into()));
    Ok(())
}

#[tokio::test]
async fn a_thousand_readers_of_one_order_are_woken_by_one_commit() -> anyhow::Result<()> {
    let (orders, id) = (Orders::started(&[])?, unique("order"));
    let url = format!("{}/v1/orders/{id}?timeout=60000", orders.service.url());
    let readers: JoinSet<_> = (0..1000).map(|_| HTTP.get(&url).send()).collect();
    orders.waiters_are(1000).await;
    let created = orders.place(&id).await?;
    for response in readers.join_all().await {
        assert_eq!(answer(response?, 200).await?, created);
    }
    orders.waiters_are(0).await;
    Ok(())
}

#[tokio::test]
async fn readers_who_hang_up_leave_nothing_behind() -> anyhow::Result<()> {
    let orders = Orders::started(&[])?;
    let mut readers = JoinSet::new();
    for _ in 0..50 {
        let url = format!("{}/v1/orders/{}?timeout=60000", orders.service.url(), unique("order"));
        readers.spawn(HTTP.get(url).send());
    }
    orders.waiters_are(50).await;
    readers.shutdown().await;
    orders.waiters_are(0).await;
    Ok(())
}
