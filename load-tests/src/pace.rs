use std::time::{Duration, Instant};

use anyhow::ensure;
use local::Interrupt;

/// An open loop: starts that come at their moments whether or not anything before has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) per_second: u32,
    pub(crate) starts: u32,
}

impl Pace {
    /// So many starts a second, for so long.
    pub(crate) fn new(per_second: u32, seconds: u32) -> Self {
        Self { per_second, starts: per_second * seconds }
    }

    /// Calls `start` with its number and its intended moment, evenly spaced. A call that comes late, because the machine
    /// was busy or the one before took long, is told the moment it was meant for.
    pub(crate) fn keep(&self, interrupt: &Interrupt, mut start: impl FnMut(u32, Instant)) -> anyhow::Result<()> {
        let interval = Duration::from_secs(1) / self.per_second;
        let begin = Instant::now() + interval;
        for number in 0..self.starts {
            let intended = begin + interval * number;
            pause(interrupt, intended.saturating_duration_since(Instant::now()))?;
            start(number, intended);
        }
        Ok(())
    }
}

/// Waits, unless everything is to end.
pub(crate) fn pause(interrupt: &Interrupt, duration: Duration) -> anyhow::Result<()> {
    ensure!(!interrupt.wait(duration), "interrupted");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_start_that_comes_late_is_counted_from_the_moment_it_was_meant_for() -> anyhow::Result<()> {
        let mut meant = Vec::new();
        let slow = Duration::from_millis(3);
        Pace { per_second: 1000, starts: 5 }.keep(&Interrupt::default(), |_, intended| {
            meant.push((intended, Instant::now()));
            thread::yield_now();
            while meant.last().is_some_and(|(_, called)| called.elapsed() < slow) {}
        })?;
        let spaced = meant.windows(2).all(|pair| pair[1].0 - pair[0].0 == Duration::from_millis(1));
        assert!(spaced, "{meant:?}");
        let (last_meant, last_called) = meant[4];
        assert!(last_called - last_meant >= Duration::from_millis(8), "the delay of the four before it counts");
        Ok(())
    }

    #[test]
    fn an_interrupt_ends_the_loop() {
        let interrupt = Interrupt::default();
        interrupt.raise();
        assert!(Pace::new(1, 1).keep(&interrupt, |_, _| panic!("nothing starts")).is_err());
    }
}
