use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// What the process waits for before it can do its work. It is ready when it waits for nothing.
#[derive(Clone, Debug)]
pub(crate) struct Readiness(Arc<watch::Sender<State>>);

/// What the process waits for, by name, and why.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) awaiting: BTreeMap<&'static str, String>,
}

impl Readiness {
    /// Not ready because of `what`, which goes without saying in the log.
    pub(crate) fn starting(what: &'static str, reason: &str) -> Self {
        Self(Arc::new(watch::Sender::new(State { awaiting: BTreeMap::from([(what, reason.to_owned())]) })))
    }

    /// Notes that `what` is not there, or no longer. Each change of the reason is logged once.
    pub(crate) fn awaiting(&self, what: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        self.0.send_if_modified(|state| {
            let is_news = state.awaiting.get(what) != Some(&reason);
            if is_news {
                tracing::info!(waiting_for = what, "not ready: {reason}");
                state.awaiting.insert(what, reason);
            }
            is_news
        });
    }

    /// Notes that `what` is there.
    pub(crate) fn arrived(&self, what: &'static str) {
        self.0.send_if_modified(|state| {
            let is_news = state.awaiting.remove(what).is_some();
            if is_news && state.is_ready() {
                tracing::info!("ready");
            }
            is_news
        });
    }

    pub(crate) fn state(&self) -> State {
        self.0.borrow().clone()
    }
}

impl State {
    pub(crate) fn is_ready(&self) -> bool {
        self.awaiting.is_empty()
    }

    /// All that is awaited, in a sentence's middle.
    pub(crate) fn reasons(&self) -> String {
        self.awaiting.values().map(String::as_str).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_all_that_it_waited_for_has_arrived() {
        let readiness = Readiness::starting("process", "starting");
        readiness.awaiting("streams", "no broker");
        readiness.awaiting("database", "no connection");
        readiness.awaiting("streams", "no topic");
        readiness.arrived("process");
        assert_eq!(readiness.state().reasons(), "no connection; no topic");
        readiness.arrived("streams");
        assert!(!readiness.state().is_ready());
        readiness.arrived("database");
        assert!(readiness.state().is_ready());
    }

    #[test]
    fn a_reason_that_is_repeated_is_no_news() {
        let readiness = Readiness::starting("process", "starting");
        let mut news = readiness.0.subscribe();
        readiness.awaiting("streams", "no broker");
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();
        readiness.awaiting("streams", "no broker");
        assert!(!news.has_changed().unwrap());
    }
}
