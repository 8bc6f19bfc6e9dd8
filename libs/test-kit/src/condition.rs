use std::thread;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `condition` has something to show, and returns it. Asked again every 10 ms.
///
/// # Panics
/// If it has nothing within the given time: `not within 10s: <what>`.
pub async fn eventually<T>(what: &str, within: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// [`eventually`] for tests without a runtime.
///
/// # Panics
/// Likewise.
pub fn eventually_blocking<T>(what: &str, within: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        thread::sleep(INTERVAL);
    }
}
