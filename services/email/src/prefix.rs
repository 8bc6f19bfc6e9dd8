use std::collections::BTreeSet;

/// How far one partition is done. Mails are finished in any order; a position may move only past those before which
/// nothing is open.
#[derive(Debug, Default)]
pub struct Prefix {
    open: BTreeSet<i64>,
    /// Behind the last record that was taken.
    end: i64,
}

impl Prefix {
    /// A record has been taken. Offsets grow, with gaps where transactions ended.
    pub fn take(&mut self, offset: i64) {
        self.open.insert(offset);
        self.end = offset + 1;
    }

    /// It is finished. Says whether the position moves with it.
    pub fn finish(&mut self, offset: i64) -> bool {
        let is_first = self.open.first() == Some(&offset);
        self.open.remove(&offset);
        is_first
    }

    /// Where to go on after a crash: at the first record that is not finished.
    pub fn next_offset(&self) -> i64 {
        self.open.first().copied().unwrap_or(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(offsets: &[i64]) -> Prefix {
        let mut prefix = Prefix::default();
        offsets.iter().for_each(|offset| prefix.take(*offset));
        prefix
    }

    #[test]
    fn nothing_moves_while_the_first_is_open() {
        let mut prefix = taken(&[7, 8, 9]);
        assert!(!prefix.finish(8));
        assert!(!prefix.finish(9));
        assert_eq!(prefix.next_offset(), 7);
    }

    #[test]
    fn what_was_finished_out_of_order_is_passed_at_once() {
        let mut prefix = taken(&[7, 8, 9, 10]);
        prefix.finish(9);
        prefix.finish(8);
        assert!(prefix.finish(7));
        assert_eq!(prefix.next_offset(), 10);
    }

    #[test]
    fn gaps_in_the_offsets_hold_nothing_up() {
        let mut prefix = taken(&[3, 5, 90]);
        prefix.finish(3);
        assert_eq!(prefix.next_offset(), 5);
        prefix.finish(5);
        prefix.finish(90);
        assert_eq!(prefix.next_offset(), 91);
    }

    #[test]
    fn a_record_that_is_finished_twice_counts_once() {
        let mut prefix = taken(&[1, 2]);
        assert!(prefix.finish(1));
        assert!(!prefix.finish(1));
        assert_eq!(prefix.next_offset(), 2);
    }
}
