use test_kit::{HTTP, answer, problem, unique};

use crate::harness::{Payments, shared};

#[tokio::test]
async fn a_reader_who_comes_before_the_payment_is_woken_by_it() -> anyhow::Result<()> {
    let (payments, id) = (Payments::started(&[])?, unique("payment"));
    let reader = tokio::spawn(HTTP.get(format!("{}/v1/payments/{id}?timeout=60000", payments.service.url())).send());
    payments.service.waiters_are(1).await;
    let received = payments.pay(&id).await?;
    assert_eq!(answer(reader.await??, 200).await?, received);
    payments.service.waiters_are(0).await;
    Ok(())
}

#[tokio::test]
async fn a_reader_of_nothing_learns_so_at_once_or_in_time() -> anyhow::Result<()> {
    let (payments, id) = (shared(), unique("payment"));
    problem(payments.get(&format!("{id}?timeout=0")).await?, 404).await?;
    problem(payments.get(&format!("{id}?timeout=50")).await?, 504).await?;
    for timeout in ["abc", "-1", "60001"] {
        let refused = problem(payments.get(&format!("{id}?timeout={timeout}")).await?, 400).await?;
        assert_eq!(refused["errors"][0]["parameter"], "timeout");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_in_the_contract_is_refused() -> anyhow::Result<()> {
    let url = shared().service.url();
    for (request, status) in [
        (HTTP.get(format!("{url}/v1/payments/a%20b")), 400),
        (HTTP.get(format!("{url}/v1/payments/%ff")), 400),
        (HTTP.get(format!("{url}/v1/payments")), 405),
        (HTTP.put(format!("{url}/v1/payments/a")), 405),
        (HTTP.get(format!("{url}/v1/payments/a/b")), 404),
    ] {
        problem(request.send().await?, status).await?;
    }
    Ok(())
}
