//! Registers the schema of every topic.

use std::path::PathBuf;
use std::time::Duration;

use avro_codec::registry::{Compatibility, Registry, RegistryError};
use clap::Parser;
use streams::{Visibility, subject};

/// Registers the schemas of all topics, each under `<topic>-value`. Services never register any.
#[derive(Debug, Parser)]
struct Options {
    /// Base of the registry's Confluent API
    #[arg(long, env = "SCHEMA_REGISTRY_URL", default_value = "http://127.0.0.1:8081")]
    schema_registry_url: String,
    /// A file with what `<service> describe` prints, or a directory of such files (*.json); may be repeated
    #[arg(long = "describe", env = "DESCRIPTIONS", value_name = "PATH")]
    descriptions: Vec<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let registry = Registry::new(&options.schema_registry_url, Duration::from_secs(10))?;
    let is_passing = |error: &RegistryError| matches!(error, RegistryError::Unavailable { .. });
    let mut registered = 0;
    for topic in steps::topics(&options.descriptions)? {
        let Some(text) = &topic.schema else { continue };
        let compatibility = match topic.visibility {
            Visibility::Public => Compatibility::FullTransitive,
            Visibility::Private => Compatibility::BackwardTransitive,
        };
        let subject = subject(&topic.name);
        steps::patiently(async || registry.register(&subject, text, compatibility).await, is_passing).await?;
        registered += 1;
    }
    println!("{registered} schemas are registered");
    Ok(())
}
