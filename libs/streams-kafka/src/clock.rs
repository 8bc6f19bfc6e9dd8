use std::time::{SystemTime, UNIX_EPOCH};

use streams::Timestamp;

/// The time on the wall. The engine asks it in one place, for timers, commit headers and the broker's limit on
/// timestamps; no handler ever sees it.
#[expect(clippy::disallowed_methods, reason = "the one place where the engine asks the clock")]
pub(crate) fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
