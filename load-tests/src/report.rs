use std::fmt::Write as _;
use std::time::Instant;

/// What was measured, a line for each figure.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<[String; 5]>,
}

/// How a figure stands to its bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pass,
    Short,
    /// There is no bar; the figure stands for itself.
    Told,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) bar: String,
    pub(crate) value: String,
    /// What stands beside it in the same run.
    pub(crate) beside: String,
    pub(crate) outcome: Outcome,
}

impl Report {
    /// Adds a figure, and says it at once.
    pub(crate) fn add(&mut self, figure: Figure) {
        let outcome = match figure.outcome {
            Outcome::Pass => "pass",
            Outcome::Short => "SHORT",
            Outcome::Told => "",
        };
        say(&format!("  {}: {}  {}  {outcome}", figure.what, figure.value, figure.beside));
        self.lines.push([figure.what, figure.bar, figure.value, figure.beside, outcome.to_string()]);
    }

    /// Prints the table, in Markdown, under what it was measured on.
    pub(crate) fn print(&self, machine: &str) {
        println!("\n{machine}\n\n{}", self.table());
    }

    fn table(&self) -> String {
        let head = ["what", "bar", "figure", "beside it", ""].map(str::to_string);
        let widths: [usize; 5] = std::array::from_fn(|column| {
            let cells = self.lines.iter().chain([&head]).map(|line| line[column].chars().count());
            cells.max().unwrap_or(0)
        });
        let rule = widths.map(|width| "-".repeat(width));
        let mut text = String::new();
        for line in [&head, &rule].into_iter().chain(&self.lines) {
            for (cell, width) in line.iter().zip(widths) {
                let _ = write!(text, "| {cell:<width$} ");
            }
            text.push_str("|\n");
        }
        text
    }
}

impl Figure {
    /// Milliseconds of processor time for each order, by process.
    pub(crate) fn processor_time(when: &str, per_order: &[(&str, f64)]) -> Self {
        let total: f64 = per_order.iter().map(|(_, time)| time).sum();
        let each: Vec<String> = per_order.iter().map(|(process, time)| format!("{process} {time:.2}")).collect();
        Self {
            what: format!("processor time per order {when}"),
            bar: String::new(),
            value: format!("{total:.2} ms"),
            beside: each.join(", "),
            outcome: Outcome::Told,
        }
    }
}

impl Outcome {
    pub(crate) fn of(passes: bool) -> Self {
        if passes { Self::Pass } else { Self::Short }
    }
}

/// Says on standard error how it goes.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// Says what is being done, and how long it took.
pub(crate) fn doing<T>(what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let start = Instant::now();
    let done = work()?;
    say(&format!("{what}: {:.1} s", start.elapsed().as_secs_f64()));
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_the_table_are_as_wide_as_their_widest_cell() {
        let mut report = Report::default();
        report.add(Figure {
            what: "median".to_string(),
            bar: "≤ 5 ms".to_string(),
            value: "2.4 ms".to_string(),
            beside: String::new(),
            outcome: Outcome::of(false),
        });
        let expected = "\
            | what   | bar    | figure | beside it |       |\n\
            | ------ | ------ | ------ | --------- | ----- |\n\
            | median | ≤ 5 ms | 2.4 ms |           | SHORT |\n";
        assert_eq!(report.table(), expected);
    }
}
