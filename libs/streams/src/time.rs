use serde::{Deserialize, Serialize};

/// A moment in event time: milliseconds since 1970-01-01T00:00:00Z, as Kafka and Avro's `timestamp-millis` carry it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The earliest moment; where stream time starts before the first record.
    pub const MIN: Self = Self(i64::MIN);

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

impl std::ops::Sub<std::time::Duration> for Timestamp {
    type Output = Self;

    /// Saturates, too.
    fn sub(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Add<std::time::Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the ends of the range: a timestamp from a client may be anything.
    fn add(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}
