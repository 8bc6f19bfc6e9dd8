//! A metric has one name everywhere: in the code that makes it, in the table of `docs/metrics.md`, in alerts, dashboards and
//! documents. A dashboard that asks for a metric of last year shows nothing, and nobody notices.
//!
//! - What the code makes is in the table, and what is in the table is made, unless it is the broker's or a library's.
//! - What alerts, their tests, dashboards, and documents in backticks ask for is in the table, or recorded by a rule.
//! - A topic or a service that a query picks by its name is one.
//!
//! Whether running services say the same is found out by `e2e/tests/observability`.

use std::collections::BTreeSet;

use super::promql::{Asked, asked};
use crate::rust::{Kind, code};
use crate::{File, Tree, Violation};

const TABLE: &str = "docs/metrics.md";
const PROMETHEUS: &str = "deploy/observability/prometheus";
const DASHBOARDS: &str = "deploy/observability/grafana/dashboards";

/// What makes a metric, with its name in the brackets.
const INSTRUMENTS: [&str; 7] = [
    "u64_counter",
    "f64_histogram",
    "u64_histogram",
    "u64_gauge",
    "u64_observable_gauge",
    "i64_up_down_counter",
    "observe",
];
/// Types of the kit whose `new` makes one.
const TYPES: [&str; 2] = ["Counter", "Histogram"];
/// What Prometheus puts behind a name.
const SUFFIXES: [&str; 5] = ["_total", "_seconds", "_bucket", "_sum", "_count"];
/// Of libraries, and of the broker.
const OTHERS: [&str; 3] = ["process_", "target_info", "jvm_"];
/// The target that is no service.
const BROKER: &str = "kafka";

struct Row<'a> {
    line: usize,
    name: &'a str,
    is_of_others: bool,
}

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let Some(table) = tree.file(TABLE) else {
        return vec![Violation::new(TABLE, 1, "the metrics must be listed here")];
    };
    let rows = rows(&table.text);
    let made: Vec<_> = tree.rust_files().filter(|file| !file.is_test()).flat_map(made).collect();
    let mut violations = Vec::new();
    for (path, line, name) in &made {
        if !rows.iter().any(|row| is_called(row.name, name)) {
            let message = format!("the metric `{name}` is not in the table of {TABLE}");
            violations.push(Violation::new(path, *line, message));
        }
    }
    for row in rows.iter().filter(|row| !row.is_of_others) {
        if !made.iter().any(|(_, _, name)| is_called(row.name, name)) {
            violations.push(Violation::new(TABLE, row.line, format!("nobody makes the metric `{}`", row.name)));
        }
    }
    let recorded = tree.files().filter(|file| file.is_in(PROMETHEUS)).flat_map(|file| recorded(&file.text));
    let known: BTreeSet<&str> = rows.iter().map(|row| row.name).chain(recorded).chain(["up"]).collect();
    for file in tree.files() {
        violations.extend(unknown(tree, file, &known));
    }
    violations
}

/// The table has a row for each: ``| `name` | kind | labels | told by | meaning |``.
fn rows(text: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let cells: Vec<&str> = text.strip_prefix("| `").unwrap_or_default().split('|').map(str::trim).collect();
        let [name, _, _, tellers, ..] = cells.as_slice() else { continue };
        let name = name.trim_end_matches('`');
        let is_of_others = *tellers == BROKER || OTHERS.iter().any(|other| name.starts_with(other));
        rows.push(Row { line, name, is_of_others });
    }
    rows
}

/// Literals in the code that name metrics.
fn made(file: &File) -> Vec<(&str, usize, String)> {
    let tokens: Vec<_> = code(&file.text).into_iter().filter(|token| !token.in_test).collect();
    let mut made = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = |back: usize| at.checked_sub(back).map(|at| tokens[at]);
        let is_named =
            |back: usize, words: &[&str]| before(back).is_some_and(|it| words.iter().any(|word| it.is_word(word)));
        let is_called = before(1).is_some_and(|it| it.is_mark("("));
        let is_made = is_called && (is_named(2, &INSTRUMENTS) || is_named(2, &["new"]) && is_named(5, &TYPES));
        if token.kind == Kind::Text && is_made {
            made.push((&*file.path, token.line, token.text.replace('.', "_")));
        }
    }
    made
}

/// Whether Prometheus calls a metric so that the code calls `made`.
fn is_called(name: &str, made: &str) -> bool {
    name.strip_prefix(made).is_some_and(|rest| rest.is_empty() || SUFFIXES[..2].contains(&rest))
}

/// Names that rules give to what they compute.
fn recorded(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("record: "))
}

/// What a file asks for that there is not.
fn unknown(tree: &Tree, file: &File, known: &BTreeSet<&str>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut say = |line: usize, message: String| violations.push(Violation::new(&file.path, line, message));
    let is_known = |name: &str| {
        known.contains(name)
            || SUFFIXES[2..].iter().any(|suffix| name.strip_suffix(suffix).is_some_and(|name| known.contains(name)))
    };
    if file.is_in(PROMETHEUS) || file.is_in(DASHBOARDS) {
        for (line, expression) in expressions(file) {
            for asked in asked(&expression) {
                match asked {
                    Asked::Metric(name) if !is_known(name) => {
                        say(line, format!("there is no metric `{name}`; all are in {TABLE}"));
                    }
                    Asked::Label("topic", topic) if !is_topic(tree, topic) => {
                        say(line, format!("there is no topic `{topic}`"))
                    }
                    Asked::Label("job", job) if job != BROKER && !tree.services().any(|service| service == job) => {
                        say(line, format!("there is no service `{job}`"));
                    }
                    _ => {}
                }
            }
        }
    }
    if file.path.ends_with(".md") && file.path != TABLE {
        for (line, text) in (1..).zip(file.text.lines()) {
            for word in text.split('`').skip(1).step_by(2).filter(|word| looks_like_metric(tree, word, known)) {
                if !is_known(word) {
                    say(line, format!("there is no metric `{word}`; all are in {TABLE}"));
                }
            }
        }
    }
    violations
}

/// A word that begins like a metric of ours, and is no crate.
fn looks_like_metric(tree: &Tree, word: &str, known: &BTreeSet<&str>) -> bool {
    let family = |name: &str| name.split_once('_').map(|(family, _)| family.to_string());
    let is_name = word
        .chars()
        .all(|character| character.is_ascii_lowercase() || "_:".contains(character) || character.is_ascii_digit());
    let is_crate = tree
        .manifests()
        .any(|manifest| manifest.folder.rsplit('/').next().is_some_and(|name| name.replace('-', "_") == word));
    let ends_like_one =
        SUFFIXES.iter().any(|suffix| word.ends_with(suffix)) || known.iter().any(|name| name.starts_with(word));
    is_name
        && !is_crate
        && ends_like_one
        && family(word).is_some_and(|of| known.iter().any(|name| family(name).as_ref() == Some(&of)))
}

/// A declared topic, or one that follows from a service.
fn is_topic(tree: &Tree, name: &str) -> bool {
    let of_service = |service: &str| name.strip_prefix(service).is_some_and(|rest| rest.starts_with('-'));
    tree.topics.iter().any(|topic| topic.name == name) || tree.services().any(of_service)
}

/// The queries of a file with their lines: what stands behind `expr`, and the series of unit tests.
fn expressions(file: &File) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    // How far the key of the folded block is indented that is being read.
    let mut block: Option<usize> = None;
    for (line, text) in (1..).zip(file.text.lines()) {
        let indent = text.len() - text.trim_start_matches([' ', '-']).len();
        if let (Some(key), Some((_, expression))) = (block, found.last_mut())
            && (indent > key || text.is_empty())
        {
            *expression += " ";
            *expression += text.trim();
            continue;
        }
        let keys = ["\"expr\": ", "expr: ", "series: "];
        let value = keys.into_iter().find_map(|key| text.split_once(key)).map(|(_, value)| value.trim());
        block = value.filter(|value| [">-", "|"].contains(value)).map(|_| indent);
        match value {
            Some(_) if block.is_some() => found.push((line, String::new())),
            Some(value) if file.path.ends_with(".json") => found.push((line, json_text(value))),
            Some(value) if !text.trim_start().starts_with('#') => {
                found.push((line, value.trim_matches(['\'', '"']).to_string()))
            }
            _ => {}
        }
    }
    found
}

/// What stands between the quotation marks.
fn json_text(rest: &str) -> String {
    let mut text = String::new();
    let mut characters = rest.trim_start_matches('"').chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    const LIBRARY: (&str, &str) =
        ("libs/kit/src/a.rs", "meter.u64_counter(\"kit.records\"); observe(\"kit_ready\", \"\", read);");
    const SERVICE: (&str, &str) =
        ("services/fraud/src/b.rs", "static A: Histogram = Histogram::new(\"fraud_wait\", \"\", &[]);");
    const MANIFEST: (&str, &str) = ("services/fraud/Cargo.toml", "[package]\nname = \"fraud\"");
    const ROWS: &str = "| metric | kind |\n| --- | --- |\n| `kit_records_total` | counter | | all | |\n\
        | `kit_ready` | gauge | | all | |\n| `fraud_wait_seconds` | histogram | | fraud | |\n\
        | `process_open_fds` | gauge | | all | |\n| `kafka_size` | gauge | `topic` | kafka | |\n";
    const RULES: &str = "rules:\n  - record: a:kit:sum\n    expr: sum(kit_ready)\n  - alert: A\n    expr: >-\n\
        \x20     rate(kit_records_total{job=\"fraud\"}[5m]) > 0\n\n      and kafka_size{topic=\"orders\"}\n    for: 5m\n";
    const DASHBOARD: &str =
        "{\"panels\": [\n{\"expr\": \"a:kit:sum > rate(fraud_wait_seconds_bucket{le=\\\"1\\\"}[1m])\"}]}";

    fn tree(table: &str, rules: &str, dashboard: &str, document: &str) -> Tree {
        let files = [
            LIBRARY,
            SERVICE,
            MANIFEST,
            (TABLE, table),
            ("deploy/observability/prometheus/alerts.yml", rules),
            ("deploy/observability/grafana/dashboards/a.json", dashboard),
            ("docs/runbooks/A.md", document),
        ];
        Tree::of(files).with_topics([("orders", "orders")])
    }

    #[test]
    fn metrics_that_are_called_the_same_everywhere_pass() {
        let document = "`kit_records_total`, `up`, and `kit_ready` of `service_kit`, `fraud` and `--kit_x`";
        let said = said(check, &tree(ROWS, RULES, DASHBOARD, document));
        assert!(said.is_empty(), "{said:#?}");
    }

    #[test]
    fn a_metric_that_is_missing_in_the_table_or_in_the_code_is_found() {
        let table = ROWS.replace("kit_ready", "kit_steady");
        let said = said(check, &tree(&table, "", "", ""));
        let expected = [
            "libs/kit/src/a.rs:1: the metric `kit_ready` is not in the table of docs/metrics.md",
            "docs/metrics.md:4: nobody makes the metric `kit_steady`",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_metric_a_topic_and_a_service_that_there_are_not_are_found_where_somebody_asks_for_them() {
        let rules = RULES.replace("rate(kit_records_total", "rate(kit_record_total").replace("\"fraud\"", "\"frauds\"");
        let rules = rules.replace("\"orders\"", "\"order\"");
        let dashboard = DASHBOARD.replace("fraud_wait_seconds", "fraud_wait_millis");
        let said = said(check, &tree(ROWS, &rules, &dashboard, "look at\n`kit_restarts_total`"));
        let expected = [
            "deploy/observability/prometheus/alerts.yml:5: there is no metric `kit_record_total`; all are in docs/metrics.md",
            "deploy/observability/prometheus/alerts.yml:5: there is no service `frauds`",
            "deploy/observability/prometheus/alerts.yml:5: there is no topic `order`",
            "deploy/observability/grafana/dashboards/a.json:2: there is no metric `fraud_wait_millis_bucket`; all are in \
             docs/metrics.md",
            "docs/runbooks/A.md:2: there is no metric `kit_restarts_total`; all are in docs/metrics.md",
        ];
        assert_eq!(said, expected);
    }
}
