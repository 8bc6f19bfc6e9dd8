use serde_json::json;
use test_kit::{HTTP, answer, problem};

use crate::harness::{customer, new_id, shared, tag};

#[tokio::test]
async fn a_change_without_a_precondition_is_told_that_it_needs_one() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    let unconditional = || HTTP.put(customers.url(id)).json(&customer("Ada")).send();
    problem(unconditional().await?, 428).await?;
    customers.create(id).await?;
    problem(unconditional().await?, 428).await?;
    assert_eq!(customers.versions(id)?, [1]);
    Ok(())
}

#[tokio::test]
async fn any_version_can_be_changed_if_the_client_says_so_but_there_must_be_one() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    let any = ("If-Match", "*");
    let refused = problem(customers.put(id, any, &customer("Ada")).await?, 412).await?;
    assert_eq!(refused.get("customer"), None);
    problem(customers.get(id, "?timeout=0").await?, 404).await?;
    customers.create(id).await?;
    for version in 2..4 {
        assert_eq!(answer(customers.put(id, any, &customer("Ada")).await?, 200).await?["version"], version);
    }
    Ok(())
}

#[tokio::test]
async fn a_version_that_is_not_the_current_one_is_refused() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    problem(customers.put(id, ("If-Match", "\"1\""), &customer("Ada")).await?, 412).await?;
    let created = customers.create(id).await?;
    for other in ["\"2\"", "\"2147483647\""] {
        let response = customers.put(id, ("If-Match", other), &customer("Grace")).await?;
        assert_eq!(tag(response.headers()), Some("\"1\""));
        assert_eq!(problem(response, 412).await?["customer"], created, "{other}");
    }
    for never in ["\"0\"", "\"-1\"", "\"01\"", "W/\"1\"", "\"abc\"", "\"2147483648\""] {
        problem(customers.put(id, ("If-Match", never), &customer("Grace")).await?, 412).await?;
    }
    assert_eq!(customers.versions(id)?, [1]);
    Ok(())
}

#[tokio::test]
async fn what_is_no_precondition_of_a_change_is_refused() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    customers.create(id).await?;
    for precondition in [("If-Match", "1"), ("If-Match", ""), ("If-Match", "\"1\", \"2\""), ("If-None-Match", "\"1\"")]
    {
        problem(customers.put(id, precondition, &customer("Grace")).await?, 400).await?;
    }
    let both = customers.putting(id, ("If-Match", "\"1\""), &customer("Grace")).header("If-None-Match", "*");
    problem(both.send().await?, 400).await?;
    assert_eq!(customers.versions(id)?, [1]);
    Ok(())
}

#[tokio::test]
async fn a_body_with_faults_is_refused_whatever_the_version() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    let mut faulty = customer("");
    (faulty["email"], faulty["version"]) = (json!("nobody"), json!(1));
    let problem = problem(customers.put(id, ("If-Match", "\"7\""), &faulty).await?, 422).await?;
    let errors = problem["errors"].as_array().into_iter().flatten();
    let pointers: Vec<_> = errors.filter_map(|error| error["pointer"].as_str()).collect();
    assert_eq!(pointers, ["#/firstName", "#/email", "#/version"]);
    Ok(())
}
