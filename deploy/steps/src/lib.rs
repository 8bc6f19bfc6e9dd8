//! The steps between an empty broker and a running system: `millrace-topics` creates the topics, `millrace-schemas`
//! registers the schemas, `millrace-seed` writes the stock of the demo; and one behind it, `millrace-seed-customers`. Each
//! can be repeated; none changes what is there.
//!
//! What topics and schemas there are follows from two sources and nothing else: the public topics declared in
//! `shared-schemas`, and what each service says of itself (`<service> describe`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use streams::{Timestamp, TopicDeclaration};

/// How long a step asks for a broker or registry that is not there yet.
pub const PATIENCE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(200);

/// The part of a service's description that the steps need.
#[derive(Debug, serde::Deserialize)]
struct Description {
    writes: Vec<TopicDeclaration>,
}

/// All topics: the public ones and those the described services write. A path is a file, or a directory with a file of each
/// service.
///
/// # Errors
/// A file that is not a description, a directory without any, or a topic that is declared twice in two ways.
pub fn topics(descriptions: &[PathBuf]) -> anyhow::Result<Vec<TopicDeclaration>> {
    let mut topics: BTreeMap<String, TopicDeclaration> = BTreeMap::new();
    let mut declared = shared_schemas::topics();
    for path in descriptions {
        for file in files(path)? {
            declared.extend(read(&file)?.writes);
        }
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

/// The file itself, or those in the directory that are named like one.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut files = paths.with_context(|| format!("cannot read {}", path.display()))?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    ensure!(!files.is_empty(), "there is no description (*.json) in {}", path.display());
    Ok(files)
}

fn read(path: &Path) -> anyhow::Result<Description> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not what `<service> describe` prints", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_directory_stands_for_the_descriptions_in_it() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let nothing = topics(&[directory.path().to_path_buf()]).unwrap_err();
        assert!(nothing.to_string().starts_with("there is no description (*.json) in "), "{nothing}");

        let description = json!({"service": "heat", "writes": [TopicDeclaration::dead_letters("heat")]});
        std::fs::write(directory.path().join("heat.json"), description.to_string())?;
        std::fs::write(directory.path().join("README.md"), "not a description")?;
        let of_directory = topics(&[directory.path().to_path_buf()])?;
        assert_eq!(of_directory, topics(&[directory.path().join("heat.json")])?);
        assert!(of_directory.iter().any(|topic| topic.name == "heat-dead-letters"));
        Ok(())
    }
}
