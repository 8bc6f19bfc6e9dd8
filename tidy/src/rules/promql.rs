//! What a query of Prometheus asks for.

/// Something that has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    /// A metric of this name.
    Metric(&'a str),
    /// A label with exactly this value.
    Label(&'a str, &'a str),
}

/// Lists of labels follow these.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS: [&str; 7] = ["and", "or", "unless", "bool", "offset", "inf", "nan"];

/// All that it asks for, from left to right. Meant for queries that Prometheus understands; of others it says something
/// harmless.
pub(super) fn asked(query: &str) -> Vec<Asked<'_>> {
    let mut asked = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        if is_first(first) {
            let word = word(rest);
            rest = rest[word.len()..].trim_start();
            if GROUPING.contains(&word) {
                rest = behind(rest, ')');
            } else if !rest.starts_with('(') && !OPERATORS.contains(&word) && !aggregates(rest) {
                asked.push(Asked::Metric(word));
            }
        } else if first == '{' {
            let end = rest.find('}').unwrap_or(rest.len());
            asked.extend(labels(&rest[1..end]));
            rest = behind(rest, '}');
        } else if first == '[' {
            rest = behind(rest, ']');
        } else if first == '"' {
            rest = behind(&rest[1..], '"');
        } else if first.is_ascii_digit() {
            // With its unit, if it has one.
            rest = rest.trim_start_matches(|character: char| character.is_alphanumeric() || character == '.');
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    asked
}

/// Whether what comes is the list of labels of an aggregation, whose name comes before.
fn aggregates(rest: &str) -> bool {
    ["by", "without"].contains(&word(rest))
}

fn is_first(character: char) -> bool {
    character.is_ascii_alphabetic() || "_:".contains(character)
}

fn word(text: &str) -> &str {
    let end = text.find(|character: char| !is_first(character) && !character.is_ascii_digit());
    &text[..end.unwrap_or(text.len())]
}

fn behind(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// The labels in braces whose value is given, and not a pattern.
fn labels(braces: &str) -> impl Iterator<Item = Asked<'_>> {
    braces.split(',').filter_map(|label| {
        let (name, value) = label.split_once("=\"")?;
        let name = name.trim();
        name.chars().all(is_first).then_some(Asked::Label(name, value.trim().trim_end_matches('"')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_and_labels_are_told_from_everything_else() {
        let query = "histogram_quantile(0.99, sum by (le, job) (rate(a_bucket{job=~\"$job\", topic=\"t\"}[5m]))) > 5e3 \
                     and on (job) b:c:sum offset 5m unless max(d) without (x) == bool 1";
        assert_eq!(
            asked(query),
            [Asked::Metric("a_bucket"), Asked::Label("topic", "t"), Asked::Metric("b:c:sum"), Asked::Metric("d"),]
        );
    }
}
