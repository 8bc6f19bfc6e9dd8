use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Error, Result};

/// The wish that everything ends: raised once, seen by all who hold a clone.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<(Mutex<bool>, Condvar)>);

impl Interrupt {
    /// One that is raised by Ctrl-C, SIGTERM or the end of the terminal.
    ///
    /// # Errors
    /// If the process may not listen to signals.
    pub fn on_signals() -> io::Result<Self> {
        let interrupt = Self::default();
        let raised = interrupt.clone();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        thread::Builder::new().name("signals".into()).spawn(move || {
            for _ in signals.forever() {
                raised.raise();
            }
        })?;
        Ok(interrupt)
    }

    /// Asks everything to end.
    pub fn raise(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Waits for the wish, at most as long as given; whether it is there.
    pub fn wait(&self, at_most: Duration) -> bool {
        let raised = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (raised, _) =
            self.0.1.wait_timeout_while(raised, at_most, |raised| !*raised).unwrap_or_else(PoisonError::into_inner);
        *raised
    }

    /// Pauses a loop that polls; an error once the wish is there.
    pub(crate) fn pause(&self, interval: Duration) -> Result<()> {
        if self.wait(interval) { Err(Error::Interrupted) } else { Ok(()) }
    }
}
