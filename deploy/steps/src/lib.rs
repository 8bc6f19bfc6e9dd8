//! The steps between an empty broker and a running system: `millrace-topics` creates the topics, `millrace-schemas`
//! registers the schemas, `millrace-seed` writes the stock of the demo; and one behind it, `millrace-seed-customers`. Each
//! can be repeated; none changes what is there.
//!
//! What topics and schemas there are follows from two sources and nothing else: the public topics declared in
//! `shared-schemas`, and what each service says of itself (`<service> describe`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use streams::{Timestamp, TopicDeclaration};

/// How long a step asks for a broker or registry that is not there yet.
pub const PATIENCE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(200);

/// The part of a service's description that the steps need.
#[derive(Debug, serde::Deserialize)]
struct Description {
    writes: Vec<TopicDeclaration>,
}

/// All topics: the public ones and those the described services write.
///
/// # Errors
/// A file that is not a description, or a topic that is declared twice in two ways.
pub fn topics(descriptions: &[PathBuf]) -> anyhow::Result<Vec<TopicDeclaration>> {
    let mut topics: BTreeMap<String, TopicDeclaration> = BTreeMap::new();
    let mut declared = shared_schemas::topics();
    for path in descriptions {
        declared.extend(read(path)?.writes);
    }
    for topic in declared {
        if let Some(other) = topics.get(&topic.name).filter(|other| **other != topic) {
            bail!("topic `{}` is declared in two ways:\n{other:?}\n{topic:?}", topic.name);
        }
        topics.insert(topic.name.clone(), topic);
    }
    Ok(topics.into_values().collect())
}

/// Repeats `attempt` until it succeeds or [`PATIENCE`] is over; `is_passing` tells which failures a wait may mend.
///
/// # Errors
/// A failure that does not pass, or that nothing was heard in time but failures.
pub async fn patiently<T, E: std::error::Error + Send + Sync + 'static>(
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
    is_passing: impl Fn(&E) -> bool,
) -> anyhow::Result<T> {
    let mut last = None;
    let attempts = async {
        loop {
            match attempt().await {
                Err(error) if is_passing(&error) => last = Some(error),
                other => return other,
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    let Ok(ended) = tokio::time::timeout(PATIENCE, attempts).await else {
        let cause = last.map_or_else(|| "no answer".to_string(), |error| error.to_string());
        bail!("gave up after {} s: {cause}", PATIENCE.as_secs());
    };
    Ok(ended?)
}

/// The time on the wall.
#[expect(clippy::disallowed_methods, reason = "what the steps write is dated now")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn read(path: &Path) -> anyhow::Result<Description> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not what `<service> describe` prints", path.display()))
}
