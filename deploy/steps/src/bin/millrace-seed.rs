//! Writes the customers and the stock of the demo.

use std::time::Duration;

use anyhow::Context;
use avro_codec::Schemas;
use avro_codec::registry::{Registry, RegistryError};
use clap::Parser;
use shared_schemas::{CUSTOMERS, Customer, CustomerLevel, STOCK_MOVEMENTS, StockMoved, StockMovementKind};
use streams::subject;
use streams_kafka::{Journal, Settings};

/// Writes customers 1 to 9 and the stock of the demo: 10 000 000 JUMPERS, 20 UNDERPANTS, no STOCKINGS. Run again, it
/// writes the same records under the same ids, which changes nothing.
#[derive(Debug, Parser)]
struct Options {
    /// Where to find the first brokers
    #[arg(long, env = "KAFKA_BOOTSTRAP", default_value = "127.0.0.1:9092")]
    kafka_bootstrap: String,
    /// Base of the registry's Confluent API
    #[arg(long, env = "SCHEMA_REGISTRY_URL", default_value = "http://127.0.0.1:8081")]
    schema_registry_url: String,
    /// Put before every topic name
    #[arg(long, env = "TOPIC_PREFIX", default_value = "")]
    topic_prefix: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let schemas = Schemas::new();
    let registry = Registry::new(&options.schema_registry_url, Duration::from_secs(10))?;
    let subjects: Vec<(String, String)> = [CUSTOMERS.declaration(), STOCK_MOVEMENTS.declaration()]
        .into_iter()
        .filter_map(|topic| Some((subject(&topic.name), topic.schema?)))
        .collect();
    let is_passing = |error: &RegistryError| matches!(error, RegistryError::Unavailable { .. });
    steps::patiently(async || registry.bind_all(&schemas, &subjects).await, is_passing).await?;
    let settings = Settings { topic_prefix: options.topic_prefix, ..Settings::new(options.kafka_bootstrap, "seed") };
    let journal = Journal::new(settings, schemas, steps::PATIENCE)?;
    let now = steps::now();
    for customer in customers() {
        journal.append(&CUSTOMERS, &customer, now, None).await.context("a customer could not be written")?;
    }
    for (product, quantity) in [("JUMPERS", 10_000_000), ("UNDERPANTS", 20)] {
        let movement = StockMoved {
            id: format!("seed-{}", product.to_lowercase()),
            product: product.to_string(),
            quantity,
            kind: StockMovementKind::Received,
            occurred_at: now,
        };
        journal.append(&STOCK_MOVEMENTS, &movement, now, None).await.context("stock could not be written")?;
    }
    println!("9 customers and the stock of 2 products are written");
    Ok(())
}

fn customers() -> impl Iterator<Item = Customer> {
    let names = ["Ada", "Barbara", "Christos", "Dorothea", "Edsger", "Frances", "Grace", "Hedy", "Ivan"];
    let levels = [CustomerLevel::Bronze, CustomerLevel::Silver, CustomerLevel::Gold, CustomerLevel::Platinum];
    (1..).zip(names).map(move |(id, first_name)| Customer {
        id,
        first_name: first_name.to_string(),
        last_name: "Miller".to_string(),
        email: format!("{}@example.com", first_name.to_lowercase()),
        address: format!("{id} Mill Lane"),
        level: levels[usize::try_from(id).unwrap_or(0) % levels.len()],
        version: 1,
    })
}
