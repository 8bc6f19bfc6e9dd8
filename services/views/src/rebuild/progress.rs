use std::io::{self, Write};

use service_kit::Clock;
use streams::Timestamp;

/// Tells how far the rebuild is, a line at a time.
#[derive(Debug)]
pub struct Progress {
    clock: Clock,
    began: Timestamp,
    told: Timestamp,
    total: u64,
    done: u64,
}

const INTERVAL_MS: i64 = 2000;

impl Progress {
    /// With so many records before it.
    pub fn new(clock: Clock, total: u64) -> Self {
        let now = clock();
        Self { clock, began: now, told: now, total, done: 0 }
    }

    /// So many records are in the tables, all in all.
    pub fn done(&mut self, done: u64) {
        self.done = done;
        let now = (self.clock)();
        if now.as_millis() - self.told.as_millis() >= INTERVAL_MS {
            self.told = now;
            say(&line(done, self.total, now.as_millis() - self.began.as_millis()));
        }
    }

    /// All there was to be read is in the tables.
    pub fn finished(&self) {
        let seconds = ((self.clock)().as_millis() - self.began.as_millis()) as f64 / 1000.0;
        say(&format!("{} records read in {seconds:.1} s", self.done));
    }
}

/// To whoever started it.
pub fn say(line: &str) {
    // Whoever started it may have stopped listening.
    let _ = writeln!(io::stdout(), "{line}");
}

fn line(done: u64, total: u64, elapsed_ms: i64) -> String {
    let per_second = done as f64 / (elapsed_ms.max(1) as f64 / 1000.0);
    let left = total.saturating_sub(done);
    let percent = done.min(total) * 100 / total.max(1);
    let estimate = if done == 0 { "?".to_string() } else { format!("{:.0}", left as f64 / per_second) };
    format!("{percent} % ({done} of {total} records, {per_second:.0}/s), about {estimate} s left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_much_is_done_and_how_long_the_rest_takes() {
        assert_eq!(line(250, 1000, 5000), "25 % (250 of 1000 records, 50/s), about 15 s left");
        assert_eq!(line(0, 1000, 5000), "0 % (0 of 1000 records, 0/s), about ? s left");
        assert_eq!(line(1200, 1000, 1000), "100 % (1200 of 1000 records, 1200/s), about 0 s left");
        assert_eq!(line(0, 0, 0), "0 % (0 of 0 records, 0/s), about ? s left");
    }
}
