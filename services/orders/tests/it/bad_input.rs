use serde_json::{Value, json};
use test_kit::{HTTP, problem, unique};

use crate::harness::{order, shared};
use crate::raw_http::refusal;

/// Sends text as the body of an order, and returns the problem it must be.
async fn refused(body: impl Into<reqwest::Body>, status: u16) -> anyhow::Result<Value> {
    let request = HTTP.post(shared().service.url() + "/v1/orders").header("content-type", "application/json");
    problem(request.body(body).send().await?, status).await
}

/// Where the only error of a problem lies.
fn pointer(problem: &Value) -> &str {
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(1), "{problem}");
    problem["errors"][0]["pointer"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_value_that_cannot_be_represented_is_named() -> anyhow::Result<()> {
    let values = [
        ("customerId", vec![r#""1""#, "1.5", "1e2", "null", "true", "9223372036854775808", "-9223372036854775809"]),
        ("product", vec!["1", "null", "[]", "{}"]),
        ("quantity", vec![r#""3""#, "3.0", "null", "2147483648", "-2147483649", "1e99999"]),
        ("price", vec![r#""5""#, "5.001", "1e400", "1e-400", "1e20", "92233720368547758.08", "null", "[5]"]),
        ("currency", vec![r#""usd""#, r#""XXXX""#, r#""""#, "1"]),
        ("state", vec![r#""VALIDATED""#, r#""FAILED""#, r#""created""#, "1"]),
        ("discount", vec!["1", "null"]),
    ];
    for (field, values) in values {
        for value in values {
            let mut order = order(&unique("order"));
            order[field] = json!("@");
            let body = order.to_string().replace(r#""@""#, value);
            let problem = refused(body, 422).await?;
            assert_eq!(pointer(&problem), format!("#/{field}"), "{value}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_id_outside_its_alphabet_is_named() -> anyhow::Result<()> {
    for id in ["", &"x".repeat(65), "ü", "a/b", "a%2Fb", "a b", "😀", "\0", "a\n", "<id>", "../..", "'; --"] {
        assert_eq!(pointer(&refused(order(id).to_string(), 422).await?), "#/id", "{id:?}");
    }
    for id in [json!(1), json!(["a"]), json!({}), json!(true)] {
        let mut order = order("");
        order["id"] = id;
        assert_eq!(pointer(&refused(order.to_string(), 422).await?), "#/id", "{order}");
    }
    Ok(())
}

#[tokio::test]
async fn an_id_may_have_every_character_of_its_alphabet_and_64_of_them() -> anyhow::Result<()> {
    let orders = shared();
    let unique = unique("A-Za.z0_9~");
    for id in [format!("{unique:x<64}"), format!("-{unique}"), format!("~{unique}.")] {
        let created = orders.place(&id).await?;
        let found = orders.get(&format!("/v1/orders/{id}?timeout=0")).await?;
        assert_eq!(found.json::<Value>().await?, created);
    }
    Ok(())
}

#[tokio::test]
async fn every_field_that_is_missing_is_named() -> anyhow::Result<()> {
    let problem = refused("{}", 422).await?;
    let errors = problem["errors"].as_array().into_iter().flatten();
    let pointers: Vec<_> = errors.filter_map(|error| error["pointer"].as_str()).collect();
    assert_eq!(pointers, ["#/customerId", "#/product", "#/quantity", "#/price"]);
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() -> anyhow::Result<()> {
    for body in ["null", "[]", "1", r#""order""#] {
        refused(body, 422).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_well_formed_json_is_refused() -> anyhow::Result<()> {
    let deep = format!(r#"{{"product":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    let twice = r#"{"quantity":1,"quantity":2}"#;
    for body in ["", "{", "{}}", "order", "{'a':1}", r#"{"a":1,}"#, r#"{"a":"\ud800"}"#, twice, &deep] {
        refused(body.to_string(), 400).await?;
    }
    refused(b"{\"product\":\"\xff\"}".to_vec(), 400).await?;
    Ok(())
}

#[tokio::test]
async fn another_media_type_is_refused() -> anyhow::Result<()> {
    let url = shared().service.url() + "/v1/orders";
    for media_type in
        ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/json; charset=latin1"]
    {
        let request = HTTP.post(&url).header("content-type", media_type).body(order(&unique("order")).to_string());
        problem(request.send().await?, 415).await?;
    }
    problem(HTTP.post(&url).body(order(&unique("order")).to_string()).send().await?, 415).await?;
    problem(HTTP.post(&url).send().await?, 415).await?;
    Ok(())
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_refused() -> anyhow::Result<()> {
    let mut order = order(&unique("order"));
    order["product"] = json!("x".repeat(10_000_000));
    refused(order.to_string(), 413).await?;
    Ok(())
}

#[tokio::test]
async fn a_timeout_that_is_no_number_of_milliseconds_is_refused() -> anyhow::Result<()> {
    let (orders, id) = (shared(), unique("order"));
    orders.place(&id).await?;
    for timeout in ["abc", "", "-1", "1.5", "60001", "99999999999999999999", "1&timeout=2", "%00", "%ff"] {
        let (get, validated) =
            (format!("/v1/orders/{id}?timeout={timeout}"), format!("/v1/orders/{id}/validated?timeout={timeout}"));
        for path in [get, validated] {
            let problem = problem(orders.get(&path).await?, 400).await?;
            assert_eq!(problem["errors"][0]["parameter"], "timeout");
        }
        let post = HTTP.post(format!("{}/v1/orders?timeout={timeout}", orders.service.url())).json(&order(&id));
        problem(post.send().await?, 400).await?;
    }
    Ok(())
}

#[test]
fn a_path_with_an_odd_id_is_refused() -> anyhow::Result<()> {
    let long = "x".repeat(65);
    for id in ["%00", "%ff", "%C3%BC", "ü", "a%2Fb", "a%20b", "%F0%9F%98%80", "%", "%zz", "a;b", "a,b", "*", &long] {
        for end in ["", "?timeout=0", "/validated", "/validated?timeout=0"] {
            let status = refusal(shared(), format!("GET /v1/orders/{id}{end}").as_bytes(), b"")?;
            assert_eq!(status, 400, "{id}{end}");
        }
    }
    Ok(())
}

#[test]
fn what_is_not_in_the_contract_is_refused() -> anyhow::Result<()> {
    let requests = [
        ("GET /v1/orders/a/b", 404),
        ("GET /v1/orders//validated", 400),
        ("GET /v2/orders", 404),
        ("GET /", 404),
        ("GET /v1/orders", 405),
        ("GET /v1/orders/", 405),
        ("DELETE /v1/orders/a", 405),
        ("PUT /v1/orders/a", 405),
        ("POST /v1/orders/a/validated", 405),
        ("BREW /v1/orders", 405),
    ];
    for (request, status) in requests {
        assert_eq!(refusal(shared(), request.as_bytes(), b"")?, status, "{request}");
    }
    assert_eq!(refusal(shared(), format!("GET /v1/orders/{}", "x".repeat(20_000)).as_bytes(), b"")?, 414);
    Ok(())
}
