//! Writes the stock of the demo.

use std::time::Duration;

use anyhow::Context;
use avro_codec::registry::{Registry, RegistryError};
use avro_codec::{AvroRecord, Schemas};
use clap::Parser;
use shared_schemas::{STOCK_MOVEMENTS, StockMoved, StockMovementKind};
use streams::subject;
use streams_kafka::{Journal, Settings};

/// Writes the stock of the demo: 10 000 000 JUMPERS, 20 UNDERPANTS, no STOCKINGS. Run again, it writes the same movements
/// under the same ids, which changes nothing.
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
    let subjects = [(subject(STOCK_MOVEMENTS.name()), StockMoved::SCHEMA.to_string())];
    let is_passing = |error: &RegistryError| matches!(error, RegistryError::Unavailable { .. });
    steps::patiently(async || registry.bind_all(&schemas, &subjects).await, is_passing).await?;
    let settings = Settings { topic_prefix: options.topic_prefix, ..Settings::new(options.kafka_bootstrap, "seed") };
    let journal = Journal::new(settings, schemas, steps::PATIENCE)?;
    let now = steps::now();
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
    println!("the stock of 2 products is written");
    Ok(())
}
