use test_kit::{HTTP, answer, problem};

use crate::harness::{Customers, customer, new_id, shared, tag};

#[tokio::test]
async fn a_reader_who_comes_before_the_customer_is_woken_by_its_creation() -> anyhow::Result<()> {
    let (customers, id) = (Customers::started(&[])?, new_id());
    let reader = tokio::spawn(HTTP.get(customers.url(id) + "?timeout=60000").send());
    customers.service.waiters_are(1).await;
    let created = customers.create(id).await?;
    assert_eq!(answer(reader.await??, 200).await?, created);
    customers.service.waiters_are(0).await;
    Ok(())
}

#[tokio::test]
async fn a_reader_of_nothing_learns_so_at_once_or_in_time() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    problem(customers.get(id, "?timeout=0").await?, 404).await?;
    problem(customers.get(id, "?timeout=50").await?, 504).await?;
    for timeout in ["abc", "-1", "60001"] {
        let refused = problem(customers.get(id, &format!("?timeout={timeout}")).await?, 400).await?;
        assert_eq!(refused["errors"][0]["parameter"], "timeout");
    }
    Ok(())
}

#[tokio::test]
async fn who_has_the_current_version_is_not_given_it_again() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    customers.create(id).await?;
    let known = |tags: &'static str| HTTP.get(customers.url(id)).header("If-None-Match", tags).send();
    for current in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
        let response = known(current).await?;
        assert_eq!((response.status().as_u16(), tag(response.headers())), (304, Some("\"1\"")), "{current}");
        assert_eq!(response.text().await?, "");
    }
    answer(customers.put(id, ("If-Match", "\"1\""), &customer("Grace")).await?, 200).await?;
    for old in ["\"1\"", "1", "nonsense"] {
        assert_eq!(answer(known(old).await?, 200).await?["version"], 2, "{old}");
    }
    Ok(())
}

#[tokio::test]
async fn an_id_that_is_no_whole_number_of_one_or_more_is_refused() -> anyhow::Result<()> {
    let base = shared().service.url() + "/v1/customers/";
    for id in ["0", "-1", "01", "+1", "1.0", "1e2", "one", "9223372036854775808", "%31%20", "%ff", "%C2%B9", "."] {
        let (read, write) = (HTTP.get(format!("{base}{id}?timeout=0")), HTTP.put(format!("{base}{id}")));
        let write = write.header("If-None-Match", "*").json(&customer("Ada"));
        for request in [read, write] {
            let status = request.send().await?.status().as_u16();
            // The last one is a step in the path.
            assert!(status == 400 || id == "." && status == 404, "{id}: {status}");
        }
    }
    let largest = i64::MAX;
    assert_eq!(shared().create(largest).await?["id"], largest);
    Ok(())
}

#[tokio::test]
async fn what_is_not_in_the_contract_is_refused() -> anyhow::Result<()> {
    let (customers, id) = (shared(), new_id());
    for (request, status) in [
        (HTTP.delete(customers.url(id)), 405),
        (HTTP.post(customers.url(id)), 405),
        (HTTP.get(customers.service.url() + "/v1/customers"), 404),
        (HTTP.get(customers.url(id) + "/orders"), 404),
    ] {
        problem(request.send().await?, status).await?;
    }
    Ok(())
}
