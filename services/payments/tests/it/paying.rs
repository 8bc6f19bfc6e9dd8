use serde_json::{Value, json};
use shared_schemas::PAYMENT_REQUESTS;
use test_kit::{HTTP, answer, problem, unique};
use tokio::task::JoinSet;

use crate::harness::{payment, shared};

#[tokio::test]
async fn a_payment_is_received_and_comes_back_as_it_was_sent() -> anyhow::Result<()> {
    let (payments, id) = (shared(), unique("payment"));
    let response = payments.post(&payment(&id)).await?;
    assert_eq!(response.headers()["location"], format!("/v1/payments/{id}"));
    let received = answer(response, 201).await?;
    let mut expected = payment(&id);
    (expected["currency"], expected["paidAt"]) = (json!("USD"), received["paidAt"].clone());
    assert_eq!(received, expected);
    assert!(received["paidAt"].as_str().is_some_and(|at| at.ends_with('Z')), "{received}");
    assert_eq!(answer(payments.get(&format!("{id}?timeout=0")).await?, 200).await?, received);

    let said = payments.said(&id)?;
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].order_id.as_str(), said[0].amount_minor, said[0].currency.as_str()), ("order-1", 1500, "USD"));
    Ok(())
}

#[tokio::test]
async fn a_payment_sent_again_is_the_same_payment_and_is_said_once() -> anyhow::Result<()> {
    let (payments, id) = (shared(), unique("payment"));
    let received = payments.pay(&id).await?;
    assert_eq!(payments.pay(&id).await?, received);
    let mut other_words = payment(&id);
    (other_words["amount"], other_words["currency"]) = (json!(15), json!("USD"));
    assert_eq!(answer(payments.post(&other_words).await?, 201).await?, received);
    assert_eq!(payments.said(&id)?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn another_payment_under_the_same_id_is_a_conflict() -> anyhow::Result<()> {
    let (payments, id) = (shared(), unique("payment"));
    let received = payments.pay(&id).await?;
    for (field, value) in [("orderId", json!("order-2")), ("amount", json!(15.01)), ("currency", json!("EUR"))] {
        let mut other = payment(&id);
        other[field] = value;
        assert_eq!(problem(payments.post(&other).await?, 409).await?["payment"], received, "{field}");
    }
    assert_eq!(payments.said(&id)?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn of_fifty_identical_requests_at_once_one_is_the_payment_and_all_are_told() -> anyhow::Result<()> {
    let (payments, id) = (shared(), unique("payment"));
    let requests: JoinSet<_> = (0..50).map(|_| payments.posting(&payment(&id)).send()).collect();
    for response in requests.join_all().await {
        assert_eq!(answer(response?, 201).await?["id"], id);
    }
    assert_eq!(payments.said(&id)?.len(), 1);
    let requests = payments.service.values(&PAYMENT_REQUESTS, &payments.schemas)?;
    assert_eq!(requests.iter().filter(|request| request.id == id).count(), 50, "all of them are journaled");
    Ok(())
}

#[tokio::test]
async fn of_two_payments_at_once_under_one_id_one_wins() -> anyhow::Result<()> {
    let (payments, id) = (shared(), unique("payment"));
    let (one, mut other) = (payment(&id), payment(&id));
    other["amount"] = json!(16);
    let (one, two) = tokio::join!(payments.post(&one), payments.post(&other));
    let (won, lost) = if one.as_ref().is_ok_and(|one| one.status() == 201) { (one, two) } else { (two, one) };
    let won = answer(won?, 201).await?;
    assert_eq!(problem(lost?, 409).await?["payment"], won);
    assert_eq!(payments.said(&id)?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_payment_without_an_id_gets_one_or_that_of_its_idempotency_key() -> anyhow::Result<()> {
    let (payments, key) = (shared(), unique("key"));
    let mut anonymous = payment("");
    anonymous["id"] = Value::Null;
    let one = answer(payments.post(&anonymous).await?, 201).await?;
    let two = answer(payments.post(&anonymous).await?, 201).await?;
    assert_ne!(one["id"], two["id"]);

    let with_key = |payment: &Value| payments.posting(payment).header("Idempotency-Key", &key).send();
    let received = answer(with_key(&anonymous).await?, 201).await?;
    assert_eq!(answer(with_key(&anonymous).await?, 201).await?, received);
    anonymous["amount"] = json!(16);
    problem(with_key(&anonymous).await?, 409).await?;
    problem(payments.posting(&anonymous).header("Idempotency-Key", "a b").send().await?, 400).await?;
    Ok(())
}

#[tokio::test]
async fn who_does_not_want_to_wait_is_told_where_the_payment_will_be() -> anyhow::Result<()> {
    let (payments, hasty, patient) = (shared(), unique("payment"), unique("payment"));
    let asynchronous = payments.posting(&payment(&hasty)).header("Prefer", "respond-async");
    let no_time = HTTP.post(payments.service.url() + "/v1/payments?timeout=0").json(&payment(&patient));
    for (id, request) in [(hasty, asynchronous), (patient, no_time)] {
        let response = request.send().await?;
        // Without time it is 202 as well, unless the decision was there when the journal answered.
        let is_decided = response.status() == 201 && response.url().query() == Some("timeout=0");
        assert!(response.status() == 202 || is_decided, "{}", response.status());
        assert_eq!(response.headers()["location"], format!("/v1/payments/{id}"));
        assert_eq!(answer(payments.get(&id).await?, 200).await?["id"], id);
    }
    Ok(())
}

#[tokio::test]
async fn an_amount_of_nothing_or_less_is_refused_and_leaves_nothing_in_the_log() -> anyhow::Result<()> {
    let (payments, id) = (shared(), unique("payment"));
    for amount in [json!(0), json!(-0.01)] {
        let mut nothing = payment(&id);
        nothing["amount"] = amount;
        let problem = problem(payments.post(&nothing).await?, 422).await?;
        assert_eq!(problem["errors"][0]["pointer"], "#/amount");
    }
    problem(payments.get(&format!("{id}?timeout=0")).await?, 404).await?;
    assert_eq!(payments.said(&id)?.len(), 0);
    Ok(())
}
