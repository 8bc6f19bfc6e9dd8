//! Creates every topic that is not there and checks those that are.

use std::path::PathBuf;

use clap::Parser;
use streams_kafka::{Settings, TopicsError, create_topics};

/// Creates the topics of all services; changes nothing in those that exist, but refuses what differs.
#[derive(Debug, Parser)]
struct Options {
    /// Where to find the first brokers
    #[arg(long, env = "KAFKA_BOOTSTRAP", default_value = "127.0.0.1:9092")]
    kafka_bootstrap: String,
    /// Put before every topic name
    #[arg(long, env = "TOPIC_PREFIX", default_value = "")]
    topic_prefix: String,
    /// A file with what `<service> describe` prints, or a directory of such files (*.json); may be repeated
    #[arg(long = "describe", env = "DESCRIPTIONS", value_name = "PATH")]
    descriptions: Vec<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let topics = steps::topics(&options.descriptions)?;
    let settings = Settings { topic_prefix: options.topic_prefix, ..Settings::new(options.kafka_bootstrap, "topics") };
    let attempt = async || {
        let (settings, topics) = (settings.clone(), topics.clone());
        let created = tokio::task::spawn_blocking(move || create_topics(&settings, &topics)).await;
        created.unwrap_or_else(|error| Err(TopicsError::Different(error.to_string())))
    };
    let is_passing = |error: &TopicsError| !matches!(error, TopicsError::Different(_));
    let created = steps::patiently(attempt, is_passing).await?;
    println!("{} topics, {} of them new", topics.len(), created.len());
    Ok(())
}
