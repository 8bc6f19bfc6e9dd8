use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared_schemas::{ORDER_REQUESTS, OrderState};
use test_kit::{HTTP, answer, problem, unique};
use tokio::task::JoinSet;

use crate::harness::{order, shared};

#[tokio::test]
async fn an_order_is_created_and_comes_back_as_it_was_placed() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    let response = orders.post(&order(&id)).await?;
    assert_eq!(response.headers()["location"], format!("/v1/orders/{id}"));
    let created = answer(response, 201).await?;
    let expected = json!({
        "id": id, "customerId": 1, "product": "JUMPERS", "quantity": 3, "price": 5.00, "currency": "USD",
        "state": "CREATED", "version": 1, "reasons": [],
        "createdAt": created["createdAt"], "updatedAt": created["createdAt"],
    });
    assert_eq!(created, expected);
    assert!(created["createdAt"].as_str().is_some_and(|at| at.ends_with('Z')), "{created}");
    Ok(())
}

#[tokio::test]
async fn an_order_placed_again_is_the_same_order() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    let created = orders.place(&id).await?;
    assert_eq!(orders.place(&id).await?, created);

    let mut slightly_other_words = order(&id);
    slightly_other_words["price"] = json!(5);
    slightly_other_words["state"] = json!("CREATED");
    slightly_other_words["currency"] = json!("USD");
    assert_eq!(answer(orders.post(&slightly_other_words).await?, 201).await?, created);
    assert_eq!(orders.versions(&id)?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn another_order_under_the_same_id_is_a_conflict() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    let created = orders.place(&id).await?;
    let others = [("customerId", json!(2)), ("product", json!("STOCKINGS")), ("quantity", json!(4))];
    for (field, value) in others.into_iter().chain([("price", json!(5.01)), ("currency", json!("EUR"))]) {
        let mut other = order(&id);
        other[field] = value;
        let problem = problem(orders.post(&other).await?, 409).await?;
        assert_eq!(problem["order"], created, "{field}");
    }
    assert_eq!(orders.versions(&id)?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn of_fifty_identical_requests_at_once_one_creates_the_order_and_all_are_told() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    let requests: JoinSet<_> = (0..50).map(|_| orders.posting(&order(&id)).send()).collect();
    for response in requests.join_all().await {
        assert_eq!(answer(response?, 201).await?["id"], id);
    }
    let versions: Vec<_> = orders.versions(&id)?.iter().map(|order| (order.version, order.state)).collect();
    assert_eq!(versions, [(1, OrderState::Created)]);
    assert_eq!(orders.read(&ORDER_REQUESTS, &id)?.len(), 50, "all of them are journaled");
    Ok(())
}

#[tokio::test]
async fn of_two_orders_at_once_under_one_id_one_wins() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    let (order, mut other) = (order(&id), order(&id));
    other["quantity"] = json!(4);
    let (one, two) = tokio::join!(orders.post(&order), orders.post(&other));
    let (won, lost) = if one.as_ref().is_ok_and(|one| one.status() == 201) { (one, two) } else { (two, one) };
    let won = answer(won?, 201).await?;
    assert_eq!(problem(lost?, 409).await?["order"], won);
    assert_eq!(orders.versions(&id)?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_order_without_an_id_gets_one() -> anyhow::Result<()> {
    let mut anonymous = order("");
    anonymous["id"] = Value::Null;
    let one = answer(shared().post(&anonymous).await?, 201).await?;
    anonymous.as_object_mut().map(|fields| fields.remove("id"));
    let two = answer(shared().post(&anonymous).await?, 201).await?;
    assert_ne!(one["id"], two["id"]);
    assert_eq!([&one, &two].map(|order| order["id"].as_str().map(str::len)), [Some(36); 2], "{one} {two}");
    Ok(())
}

#[tokio::test]
async fn an_idempotency_key_stands_for_an_id() -> anyhow::Result<()> {
    let (orders, key) = (shared(), unique("key"));
    let mut anonymous = order("");
    anonymous["id"] = Value::Null;
    let with_key = |order: &Value| orders.posting(order).header("Idempotency-Key", &key).send();
    let created = answer(with_key(&anonymous).await?, 201).await?;
    assert_eq!(answer(with_key(&anonymous).await?, 201).await?, created);
    anonymous["quantity"] = json!(4);
    problem(with_key(&anonymous).await?, 409).await?;

    let id = unique("order");
    assert_eq!(answer(with_key(&order(&id)).await?, 201).await?["id"], id, "an id in the body goes first");
    let spaces = orders.posting(&anonymous).header("Idempotency-Key", "a b").send();
    problem(spaces.await?, 400).await?;
    Ok(())
}

#[tokio::test]
async fn who_does_not_want_to_wait_is_told_where_the_order_will_be() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    let response = orders.posting(&order(&id)).header("Prefer", "respond-async").send().await?;
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["location"], format!("/v1/orders/{id}"));
    assert_eq!(answer(orders.get(&format!("/v1/orders/{id}")).await?, 200).await?["id"], id);
    Ok(())
}

#[tokio::test]
async fn an_order_is_journaled_however_little_time_its_client_has() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    let url = orders.service.url() + "/v1/orders?timeout=0";
    let response = HTTP.post(url).json(&order(&id)).send().await?;
    assert_eq!(response.status(), 202);
    assert_eq!(answer(orders.get(&format!("/v1/orders/{id}")).await?, 200).await?["id"], id);
    Ok(())
}

#[tokio::test]
async fn the_trailing_slash_makes_no_difference() -> anyhow::Result<()> {
    let id = unique("order");
    let url = shared().service.url() + "/v1/orders/";
    let response = HTTP.post(url).json(&order(&id)).send().await?;
    assert_eq!(response.headers()["location"], format!("/v1/orders/{id}"));
    assert_eq!(answer(response, 201).await?["id"], id);
    Ok(())
}

#[tokio::test]
async fn what_is_merely_bad_business_is_accepted_for_the_checks_to_judge() -> anyhow::Result<()> {
    let bad_business = BTreeMap::from([
        ("customerId", json!(i64::MIN)),
        ("product", json!(" ")),
        ("quantity", json!(i32::MIN)),
        ("price", json!(-0.01)),
    ]);
    for (field, value) in bad_business {
        let mut order = order(&unique("order"));
        order[field] = value.clone();
        assert_eq!(answer(shared().post(&order).await?, 201).await?[field], value);
    }
    Ok(())
}

#[tokio::test]
async fn the_journal_keeps_the_request_exactly_as_it_was_received() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    let body = format!(
        r#" {{"quantity":1, "id":"{id}", "product":"\u00fc\ud83d\ude00", "customerId":9223372036854775807, "price":92233720368547758.07}} "#
    );
    let request = HTTP.post(orders.service.url() + "/v1/orders").header("content-type", "application/json");
    let response = request.body(body.clone()).send().await?;
    let text = response.text().await?;
    assert!(text.contains(r#""price":92233720368547758.07"#) && text.contains("ü😀"), "{text}");
    let requests = orders.read(&ORDER_REQUESTS, &id)?;
    assert_eq!(requests[0].body, body.as_bytes());
    assert_eq!((requests[0].price_minor, requests[0].customer_id), (i64::MAX, i64::MAX));
    Ok(())
}
