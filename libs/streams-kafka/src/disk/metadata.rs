use std::time::Duration;

use streams::{Checkpoint, Timestamp};

use super::Identity;

/// Changes with the meaning of what stands in a share.
const LAYOUT: &str = "1";

/// What a share on disk says about itself, as lines of text: layout, cluster, changelog, partitions, checkpoint (offset,
/// timestamp), and when it was last known to be up to date.
#[derive(Debug)]
pub(super) struct Metadata<'a> {
    pub(super) identity: &'a Identity,
    pub(super) checkpoint: Checkpoint,
    pub(super) touched_at: Timestamp,
}

impl Metadata<'_> {
    pub(super) fn encode(&self) -> String {
        let Identity { cluster, changelog, partitions, .. } = self.identity;
        let Checkpoint { offset, timestamp } = self.checkpoint;
        let touched_at = self.touched_at.0;
        format!("{LAYOUT}\n{cluster}\n{changelog}\n{partitions}\n{offset}\n{timestamp}\n{touched_at}")
    }
}

/// The checkpoint of a share, or why the share is of no use.
pub(super) fn checkpoint(encoded: &[u8], identity: &Identity, now: Timestamp) -> Result<Checkpoint, String> {
    let damaged = || "what it says about itself cannot be read".to_string();
    let text = std::str::from_utf8(encoded).map_err(|_| damaged())?;
    let mut lines = text.split('\n');
    let mut next = || lines.next().ok_or_else(damaged);
    let layout = next()?;
    if layout != LAYOUT {
        return Err(format!("its layout on disk is {layout:?}, not {LAYOUT:?}"));
    }
    let Identity { cluster, changelog, partitions, retention } = identity;
    is(next()?, cluster, "cluster")?;
    is(next()?, changelog, "changelog")?;
    is(next()?, &partitions.to_string(), "number of partitions")?;
    let mut number = || next()?.parse::<i64>().map_err(|_| damaged());
    let checkpoint = Checkpoint { offset: number()?, timestamp: number()? };
    // A clock that was set back makes it look younger than now.
    let age_ms = u64::try_from(now.0.saturating_sub(number()?)).unwrap_or(0);
    let age = Duration::from_millis(age_ms);
    if age > *retention {
        return Err(format!(
            "nobody looked after it for {} s, and the changelog remembers removals for {} s",
            age.as_secs(),
            retention.as_secs()
        ));
    }
    Ok(checkpoint)
}

fn is(found: &str, wanted: &str, what: &str) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("its {what} is {found}, not {wanted}")) }
}
