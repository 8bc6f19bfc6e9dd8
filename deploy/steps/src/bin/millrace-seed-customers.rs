//! Creates the customers of the demo.

use std::time::Duration;

use clap::Parser;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

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
    for (id, customer) in customers() {
        let url = format!("{}/v1/customers/{id}", options.customers_url);
        let attempt = async || {
            let response = http.put(&url).header("If-None-Match", "*").json(&customer).send().await?;
            let is_there_already = response.status() == StatusCode::PRECONDITION_FAILED;
            if is_there_already { Ok(()) } else { response.error_for_status().map(drop) }
        };
        let is_passing = |error: &reqwest::Error| error.status().is_none_or(|status| status.is_server_error());
        steps::patiently(attempt, is_passing).await?;
    }
    println!("customers 1 to 9 are there");
    Ok(())
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
