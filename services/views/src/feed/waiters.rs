use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Readers that wait for an order to change. Whoever is registered before it looks into the table misses nothing.
#[derive(Debug, Default)]
pub struct Waiters(Mutex<HashMap<String, watch::Sender<i32>>>);

impl Waiters {
    /// Registers a reader of this order until it drops what it gets, which is the version heard of last.
    pub fn watch(&self, order_id: &str) -> watch::Receiver<i32> {
        let mut waiters = self.locked();
        waiters.entry(order_id.to_string()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// The orders that somebody waits for.
    pub fn awaited(&self) -> Vec<String> {
        let mut waiters = self.locked();
        waiters.retain(|_, waiter| waiter.receiver_count() > 0);
        waiters.keys().cloned().collect()
    }

    /// Tells those who wait for an order how far it is.
    pub fn tell(&self, order_id: &str, version: i32) {
        if let Some(waiter) = self.locked().get(order_id) {
            waiter.send_replace(version);
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<i32>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_wait_for_an_order_are_told_and_nobody_else() -> anyhow::Result<()> {
        let waiters = Waiters::default();
        let (first, second, other) = (waiters.watch("a"), waiters.watch("a"), waiters.watch("b"));
        waiters.tell("a", 2);
        assert_eq!((*first.borrow(), *second.borrow()), (2, 2));
        assert!(!other.has_changed()?);
        Ok(())
    }

    #[test]
    fn an_order_is_awaited_as_long_as_somebody_waits() {
        let waiters = Waiters::default();
        let (first, second) = (waiters.watch("a"), waiters.watch("a"));
        drop(first);
        assert_eq!(waiters.awaited(), ["a"]);
        drop(second);
        assert!(waiters.awaited().is_empty());
        assert!(waiters.locked().is_empty());
    }
}
