//! Creates the customers of the demo.

use std::time::Duration;

use clap::Parser;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::task::{JoinSet, LocalSet};

/// Creates customers 1 to 9 of the demo at the service that owns them. Run again, it changes none that is there.
#[derive(Debug, Parser)]
struct Options {
    /// Where the customers service takes requests
    #[arg(long, env = "CUSTOMERS_URL", default_value = "http://127.0.0.1:8580")]
    customers_url: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let http = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
    let (here, mut attempts) = (LocalSet::new(), JoinSet::new());
    for (id, customer) in customers() {
        let request = http.put(format!("{}/v1/customers/{id}", options.customers_url));
        attempts.spawn_local_on(create(request.header("If-None-Match", "*").json(&customer)), &here);
    }
    here.run_until(attempts.join_all()).await.into_iter().collect::<anyhow::Result<()>>()?;
    println!("customers 1 to 9 are there");
    Ok(())
}

/// Asks until the service has answered. One that is there already is not created again.
async fn create(request: RequestBuilder) -> anyhow::Result<()> {
    let attempt = async || {
        let request = request.try_clone().expect("the body is no stream");
        let response = request.send().await?;
        let is_there_already = response.status() == StatusCode::PRECONDITION_FAILED;
        if is_there_already { Ok(()) } else { response.error_for_status().map(drop) }
    };
    let is_passing = |error: &reqwest::Error| error.status().is_none_or(|status| status.is_server_error());
    steps::patiently(attempt, is_passing).await
}

fn customers() -> impl Iterator<Item = (usize, Value)> {
    let names = ["Ada", "Barbara", "Christos", "Dorothea", "Edsger", "Frances", "Grace", "Hedy", "Ivan"];
    let levels = ["BRONZE", "SILVER", "GOLD", "PLATINUM"];
    (1..).zip(names).map(move |(id, first_name)| {
        let customer = json!({
            "firstName": first_name,
            "lastName": "Miller",
            "email": format!("{}@example.com", first_name.to_lowercase()),
            "address": format!("{id} Mill Lane"),
            "level": levels[id % levels.len()],
        });
        (id, customer)
    })
}
