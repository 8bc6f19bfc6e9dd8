use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Tells somebody who waits what is being done, on standard error; or nobody.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    shown_since: Option<Instant>,
}

impl Progress {
    pub(crate) fn shown() -> Self {
        Self { shown_since: Some(Instant::now()) }
    }

    pub(crate) fn is_shown(&self) -> bool {
        self.shown_since.is_some()
    }

    /// What is about to be done and may take a while.
    pub(crate) fn say(&self, what: &str) {
        if self.is_shown() {
            // Nobody may be there to read it any more, which is no reason to fail.
            let _ = writeln!(io::stderr(), "{what}");
        }
    }

    /// A part is ready: how long it took itself, and how long since the beginning.
    pub(crate) fn part(&self, name: &str, took: Duration) {
        if let Some(since) = self.shown_since {
            self.say(&format!(
                "{name:<15} ready in {:>4.1} s, at {:>4.1} s",
                took.as_secs_f32(),
                since.elapsed().as_secs_f32()
            ));
        }
    }
}
