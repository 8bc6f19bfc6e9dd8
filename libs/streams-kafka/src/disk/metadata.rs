use std::collections::BTreeSet;
use std::time::Duration;

use avro_codec::SchemaId;
use streams::{Checkpoint, Timestamp};

use super::Identity;

/// Changes with the meaning of what stands in a share.
const LAYOUT: &str = "1";

/// What a share on disk says about itself besides what it is of.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    pub(super) checkpoint: Checkpoint,
    /// When it was last known to be up to date.
    pub(super) touched_at: Timestamp,
    /// With which its values were ever written.
    pub(super) schema_ids: BTreeSet<SchemaId>,
}

impl Metadata {
    /// Lines of text: layout, cluster, changelog, partitions, checkpoint (offset, timestamp), the moment, schema ids.
    pub(super) fn encode(&self, identity: &Identity) -> String {
        let Identity { cluster, changelog, partitions, .. } = identity;
        let Checkpoint { offset, timestamp } = self.checkpoint;
        let ids: Vec<String> = self.schema_ids.iter().map(|id| id.0.to_string()).collect();
        let (touched_at, ids) = (self.touched_at.0, ids.join(" "));
        format!("{LAYOUT}\n{cluster}\n{changelog}\n{partitions}\n{offset}\n{timestamp}\n{touched_at}\n{ids}")
    }

    /// What a share says, or why it is of no use.
    pub(super) fn decode(encoded: &[u8], identity: &Identity, now: Timestamp) -> Result<Self, String> {
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
        let touched_at = Timestamp(number()?);
        let ids = next()?.split_whitespace().map(|id| id.parse().map(SchemaId));
        let schema_ids = ids.collect::<Result<_, _>>().map_err(|_| damaged())?;
        // A clock that was set back makes it look younger than now.
        let age = Duration::from_millis(u64::try_from(now.0.saturating_sub(touched_at.0)).unwrap_or(0));
        if age > *retention {
            return Err(format!(
                "nobody looked after it for {} s, and the changelog remembers removals for {} s",
                age.as_secs(),
                retention.as_secs()
            ));
        }
        Ok(Self { checkpoint, touched_at, schema_ids })
    }
}

fn is(found: &str, wanted: &str, what: &str) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("its {what} is {found}, not {wanted}")) }
}
