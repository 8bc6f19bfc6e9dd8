//! The one place where the engine looks at clocks; no handler ever does.
#![expect(clippy::disallowed_methods, reason = "the one place where the engine looks at clocks")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use streams::Timestamp;

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The time on the wall, for timers, headers and the broker's limit on timestamps.
pub(crate) fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
