use std::collections::BTreeSet;
use std::time::Duration;

/// Takes orders over HTTP, decides them by the verdicts of the checks, and tells what became of them
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The checks an order must pass, separated by commas; each writes `order-validations-<check>`
    #[arg(long, env = "REQUIRED_CHECKS", value_delimiter = ',', value_parser = check)]
    #[arg(default_value = "order-details,fraud,inventory")]
    required_checks: Vec<String>,

    /// How long an order may wait for its verdicts before it fails, in milliseconds
    #[arg(long = "validation-deadline-ms", env = "VALIDATION_DEADLINE_MS", default_value_t = 60_000)]
    validation_deadline_ms: u64,
}

impl Options {
    /// The checks an order must pass, each once.
    pub fn required_checks(&self) -> Vec<String> {
        let mut known = BTreeSet::new();
        self.required_checks.iter().filter(|check| known.insert(*check)).cloned().collect()
    }

    /// How long an order may wait for its verdicts before it fails.
    pub fn validation_deadline(&self) -> Duration {
        Duration::from_millis(self.validation_deadline_ms)
    }
}

/// Reads the name of a check, which is part of the name of a topic.
fn check(name: &str) -> Result<String, String> {
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.bytes().all(is_legal) {
        Ok(name.to_string())
    } else {
        Err("the name of a check is made of a–z 0–9 -".to_string())
    }
}
