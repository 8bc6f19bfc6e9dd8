use serde_json::json;
use shared_schemas::CUSTOMER_REQUESTS;
use test_kit::{HTTP, answer, problem};
use tokio::task::JoinSet;

use crate::harness::{CREATE, customer, new_id, shared, tag};

#[tokio::test]
async fn a_customer_is_created_and_comes_back_as_it_was_sent() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    let response = customers.put(id, CREATE, &customer("Ada")).await?;
    assert_eq!(response.headers()["location"], format!("/v1/customers/{id}"));
    assert_eq!(tag(response.headers()), Some("\"1\""));
    let created = answer(response, 201).await?;
    let mut expected = customer("Ada");
    (expected["id"], expected["version"]) = (json!(id), json!(1));
    assert_eq!(created, expected);

    let response = customers.get(id, "?timeout=0").await?;
    assert_eq!(tag(response.headers()), Some("\"1\""));
    assert_eq!(answer(response, 200).await?, created);
    Ok(())
}

#[tokio::test]
async fn a_customer_is_changed_from_the_version_its_client_has_seen() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    customers.create(id).await?;
    for (seen, next) in [("\"1\"", "\"2\""), ("\"2\"", "\"3\"")] {
        let response = customers.put(id, ("If-Match", seen), &customer("Grace")).await?;
        assert_eq!(tag(response.headers()), Some(next));
        let changed = answer(response, 200).await?;
        assert_eq!(changed["firstName"], "Grace");
        assert_eq!(answer(customers.get(id, "?timeout=0").await?, 200).await?, changed);
    }
    assert_eq!(customers.versions(id)?, [1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn of_twenty_clients_at_once_with_the_same_version_one_wins() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    customers.create(id).await?;
    let same = customer("Grace");
    let clients: JoinSet<_> = (0..20).map(|_| customers.putting(id, ("If-Match", "\"1\""), &same).send()).collect();
    let mut statuses = Vec::new();
    for response in clients.join_all().await {
        let response = response?;
        assert_eq!(tag(response.headers()), Some("\"2\""), "whoever asked learns the current version");
        statuses.push(response.status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [[200].as_slice(), &[412; 19]].concat());
    assert_eq!(customers.versions(id)?, [1, 2]);
    Ok(())
}

#[tokio::test]
async fn of_twenty_clients_at_once_who_create_a_customer_one_wins() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    let requests: Vec<_> = (0..20).map(|number| customer(&format!("Ada the {number}."))).collect();
    let clients: JoinSet<_> = requests.iter().map(|sent| customers.putting(id, CREATE, sent).send()).collect();
    let (mut won, mut lost) = (Vec::new(), Vec::new());
    for response in clients.join_all().await {
        let response = response?;
        match response.status().as_u16() {
            201 => won.push(answer(response, 201).await?),
            _ => lost.push(problem(response, 412).await?["customer"].clone()),
        }
    }
    assert_eq!((won.len(), lost.len()), (1, 19));
    assert!(lost.iter().all(|current| *current == won[0]), "{won:?} {lost:?}");
    assert_eq!(customers.versions(id)?, [1]);
    Ok(())
}

#[tokio::test]
async fn a_client_that_repeats_itself_after_losing_the_answer_is_shown_the_customer_as_it_is() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    let created = customers.create(id).await?;
    let again = problem(customers.put(id, CREATE, &customer("Ada")).await?, 412).await?;
    assert_eq!(again["customer"], created);

    let change = ("If-Match", "\"1\"");
    let changed = answer(customers.put(id, change, &customer("Grace")).await?, 200).await?;
    let again = problem(customers.put(id, change, &customer("Grace")).await?, 412).await?;
    assert_eq!(again["customer"], changed);
    assert_eq!(customers.versions(id)?, [1, 2]);
    Ok(())
}

#[tokio::test]
async fn who_does_not_want_to_wait_is_told_where_the_customer_will_be() -> anyhow::Result<()> {
    let (customers, hasty, patient) = (shared(), new_id(), new_id());
    let asynchronous = customers.putting(hasty, CREATE, &customer("Ada")).header("Prefer", "respond-async");
    let no_time = HTTP.put(customers.url(patient) + "?timeout=0").header(CREATE.0, CREATE.1).json(&customer("Ada"));
    for (id, request) in [(hasty, asynchronous), (patient, no_time)] {
        let response = request.send().await?;
        // Without time it is 202 as well, unless the decision was there when the journal answered.
        let is_decided = response.status() == 201 && response.url().query() == Some("timeout=0");
        assert!(response.status() == 202 || is_decided, "{}", response.status());
        assert_eq!(response.headers()["location"], format!("/v1/customers/{id}"));
        assert_eq!(answer(customers.get(id, "").await?, 200).await?["version"], 1);
    }
    Ok(())
}

#[tokio::test]
async fn the_journal_keeps_every_request_exactly_as_it_was_received() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    customers.create(id).await?;
    let body =
        r#" {"level":"BRONZE", "firstName":"\u00fc\ud83d\ude00", "lastName":"M", "email":"a@b", "address":"1"} "#;
    let request = HTTP.put(customers.url(id)).header("If-Match", "\"7\"").header("content-type", "application/json");
    problem(request.body(body).send().await?, 412).await?;
    let mut requests = customers.service.values(&CUSTOMER_REQUESTS, &customers.schemas)?;
    requests.retain(|request| request.id == id);
    let [created, refused] = &requests[..] else { panic!("not two requests: {requests:?}") };
    assert_eq!((created.expected_version, refused.expected_version), (Some(0), Some(7)));
    assert_eq!((refused.body.as_slice(), refused.first_name.as_str()), (body.as_bytes(), "ü😀"));
    Ok(())
}
