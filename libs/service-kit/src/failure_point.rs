#![expect(clippy::disallowed_methods, reason = "the one option that no release has")]

use std::env;
use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Ends the process here as abruptly as `kill -9` would, if it was told to: `MILLRACE_FAILURE_POINT=<name>` in its
/// environment, or `<name>:<n>` for the n-th passing. Tests choose a step that way; a build without debug assertions knows
/// no such points.
pub fn failure_point(name: &str) {
    if is_chosen(name) {
        tracing::error!(name, "the failure point that was asked for");
        process::abort();
    }
}

/// Whether what went well here is to be taken for a failure, as if its answer had been lost on the way: chosen like a
/// [`failure_point`], and `false` in a build without debug assertions.
pub fn failure_claimed(name: &str) -> bool {
    let is_claimed = is_chosen(name);
    if is_claimed {
        tracing::error!(name, "the failure that was asked for");
    }
    is_claimed
}

fn is_chosen(name: &str) -> bool {
    if !cfg!(debug_assertions) {
        return false;
    }
    static CHOSEN: LazyLock<Option<Chosen>> = LazyLock::new(|| Chosen::parsed(&env::var(VARIABLE).ok()?));
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let Some(chosen) = CHOSEN.as_ref().filter(|chosen| chosen.name == name) else { return false };
    PASSED.fetch_add(1, Ordering::Relaxed) + 1 == chosen.passing
}

const VARIABLE: &str = "MILLRACE_FAILURE_POINT";

#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    name: String,
    passing: u64,
}

impl Chosen {
    fn parsed(text: &str) -> Option<Self> {
        let (name, passing) = text.split_once(':').unwrap_or((text, "1"));
        Some(Self { name: name.to_owned(), passing: passing.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_chosen_by_its_name_and_the_passing() {
        let chosen = |name: &str, passing| Some(Chosen { name: name.to_owned(), passing });
        assert_eq!(Chosen::parsed("before-claim"), chosen("before-claim", 1));
        assert_eq!(Chosen::parsed("after-send:17"), chosen("after-send", 17));
        assert_eq!(Chosen::parsed("after-send:soon"), None);
    }
}
