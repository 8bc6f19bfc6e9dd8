use std::time::Duration;

use crate::clock::Stopwatch;

/// How soon an epoch may be committed after another one, so that load widens epochs and a lone record is committed at once
/// (ADR 12).
pub(crate) struct Pace {
    committed_at: Stopwatch,
    floor: Duration,
}

/// What an epoch of one record adds to the time until the next commit: the broker pays for transactions, not for records,
/// so under load they had better be few and large.
const FLOOR_PER_RECORD: Duration = Duration::from_millis(1);
/// The most that all its records add to it.
const LONGEST_FLOOR: Duration = Duration::from_millis(20);

impl Pace {
    /// After the commit of an epoch of so many records.
    pub(crate) fn after(records: usize) -> Self {
        let floor = FLOOR_PER_RECORD.saturating_mul(u32::try_from(records).unwrap_or(u32::MAX)).min(LONGEST_FLOOR);
        Self { committed_at: Stopwatch::start(), floor }
    }

    /// How long the next commit has to wait.
    pub(crate) fn until_floor(&self) -> Duration {
        self.floor.saturating_sub(self.committed_at.elapsed())
    }
}
