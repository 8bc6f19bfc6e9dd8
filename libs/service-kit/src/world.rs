#![expect(clippy::disallowed_methods, reason = "clock and randomness enter every service here, and nowhere else")]

use std::time::{SystemTime, UNIX_EPOCH};

use streams::Timestamp;
use uuid::Uuid;

/// Names the space in which ids are derived from keys (RFC 9562, section 5.5). It must never change: a repeated key has to
/// give the same id under every version of a service.
const DERIVED: Uuid = Uuid::from_u128(0x6f1d_7c0e_52f3_4b6e_9c58_0d8a_91e2_a4b7);

/// The time on the wall, as a function that can be passed on.
pub type Clock = fn() -> Timestamp;

pub(crate) fn now() -> Timestamp {
    // A clock before 1970 is wrong anyway.
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// An id that nobody else has: a UUIDv7, so that ids sort by the time they were made.
pub(crate) fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// The id that belongs to a client's key: always the same for the same scope and key, a UUIDv5.
pub(crate) fn derived_id(scope: &str, key: &str) -> String {
    // No scope contains the separator: it is the name of a service.
    Uuid::new_v5(&DERIVED, format!("{scope}\u{0}{key}").as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_new_each_time_and_sort_by_time() {
        let ids: Vec<_> = (0..1000).map(|_| new_id()).collect();
        assert!(ids.is_sorted());
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn the_id_of_a_key_is_always_the_same_and_another_in_another_scope() {
        assert_eq!(derived_id("a", "key"), derived_id("a", "key"));
        assert_ne!(derived_id("a", "key"), derived_id("b", "key"));
        assert_ne!(derived_id("a", "key"), derived_id("a", "yek"));
    }

    #[test]
    fn the_clock_shows_a_time_in_this_century() {
        assert!((1_700_000_000_000..4_102_444_800_000).contains(&now().as_millis()));
    }
}
