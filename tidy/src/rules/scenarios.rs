//! Every business scenario has a positive and a negative test that exist, and `docs/testing.md` says which.
//!
//! A list of tests that nobody checks describes the tests of last year. The list is every table in `docs/testing.md` whose
//! columns are «business scenario | positive test | negative test | layer». A test is named by a link, the function as its
//! text and the file as its target: ``[`an_order_is_created`](../e2e/tests/journeys/orders.rs)``. The layers of a scenario
//! follow from where its tests stand. Tests of several services together are the scenarios themselves, so each function in
//! `e2e/tests/orchestration` must be in a table.

use std::collections::BTreeSet;

use crate::rust::{Kind, code};
use crate::{File, Tree, Violation};

const DOCUMENT: &str = "docs/testing.md";
const COLUMNS: [&str; 4] = ["business scenario", "positive test", "negative test", "layer"];
const ORCHESTRATION: &str = "e2e/tests/orchestration";

/// A row of the table.
struct Scenario {
    line: usize,
    name: String,
    positive: Vec<Named>,
    negative: Vec<Named>,
    layer: String,
}

/// A test, as the document names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    path: String,
    function: String,
}

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let Some(document) = tree.file(DOCUMENT) else {
        return vec![Violation::new(DOCUMENT, 1, "the scenarios and their tests must be listed here")];
    };
    let scenarios = scenarios(&document.text);
    if scenarios.is_empty() {
        let message = format!("there must be a table with the columns {}", COLUMNS.join(" | "));
        return vec![Violation::new(DOCUMENT, 1, message)];
    }
    let mut violations = Vec::new();
    for (at, scenario) in scenarios.iter().enumerate() {
        if scenarios[..at].iter().any(|earlier| earlier.name == scenario.name) {
            violations.push(Violation::new(DOCUMENT, scenario.line, format!("«{}» stands here twice", scenario.name)));
        }
        violations.extend(faults(tree, scenario).map(|fault| Violation::new(DOCUMENT, scenario.line, fault)));
    }
    violations.extend(unnamed(tree, &scenarios));
    violations
}

/// What is wrong with one scenario.
fn faults(tree: &Tree, scenario: &Scenario) -> impl Iterator<Item = String> {
    let name = &scenario.name;
    let mut faults = Vec::new();
    for (kind, tests) in [("positive", &scenario.positive), ("negative", &scenario.negative)] {
        if tests.is_empty() {
            faults.push(format!("«{name}» has no {kind} test; name it as [`function`](file)"));
        }
        for Named { path, function } in tests {
            match tree.file(path) {
                None => faults.push(format!("«{name}»: there is no {path}")),
                Some(file) if !tests_of(file).iter().any(|(_, test)| test == function) => {
                    faults.push(format!("«{name}»: {path} has no test `{function}`"));
                }
                Some(_) => {}
            }
        }
    }
    for both in scenario.positive.iter().filter(|test| scenario.negative.contains(test)) {
        faults.push(format!("«{name}»: `{}` cannot be its positive and its negative test", both.function));
    }
    let layers: BTreeSet<_> =
        scenario.positive.iter().chain(&scenario.negative).map(|test| layer(&test.path)).collect();
    let layers: Vec<_> = layers.into_iter().map(|(_, name)| name).collect();
    if scenario.layer != layers.join(", ") {
        let found = &scenario.layer;
        faults.push(format!("«{name}»: its tests are of the layer «{}», not «{found}»", layers.join(", ")));
    }
    faults.into_iter()
}

/// The tests of several services together that no scenario names.
fn unnamed(tree: &Tree, scenarios: &[Scenario]) -> Vec<Violation> {
    let named: BTreeSet<_> =
        scenarios.iter().flat_map(|scenario| scenario.positive.iter().chain(&scenario.negative)).collect();
    let mut violations = Vec::new();
    for file in tree.rust_files().filter(|file| file.is_in(ORCHESTRATION)) {
        for (line, function) in tests_of(file) {
            let test = Named { path: file.path.clone(), function };
            if !named.contains(&test) {
                let message =
                    format!("`{}` is missing in {DOCUMENT}: which scenario does it stand for?", test.function);
                violations.push(Violation::new(&file.path, line, message));
            }
        }
    }
    violations
}

/// The layer of the tests in a file, with its place among the layers.
fn layer(path: &str) -> (usize, &'static str) {
    if path.starts_with(ORCHESTRATION) {
        (1, "orchestration")
    } else if path.starts_with("e2e/") {
        (2, "end-to-end")
    } else {
        (0, "service")
    }
}

/// The names of the test functions in a file, with their lines.
fn tests_of(file: &File) -> Vec<(usize, String)> {
    let code = code(&file.text);
    let mut tests = Vec::new();
    let mut is_test = false;
    for (at, token) in code.iter().enumerate() {
        if token.is_mark("#") && code.get(at + 1).is_some_and(|next| next.is_mark("[")) {
            let path: Vec<_> =
                code[at + 2..].iter().take_while(|token| !token.is_mark("]") && !token.is_mark("(")).collect();
            let words: Vec<_> = path.iter().filter(|token| token.kind == Kind::Word).map(|token| token.text).collect();
            is_test |= words == ["test"] || words == ["tokio", "test"];
        } else if token.is_word("fn") && std::mem::take(&mut is_test) {
            tests.extend(code.get(at + 1).map(|name| (name.line, name.text.to_string())));
        }
    }
    tests
}

fn scenarios(text: &str) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    let mut in_table = false;
    for (line, text) in (1..).zip(text.lines()) {
        let Some(cells) = cells(text) else {
            in_table = false;
            continue;
        };
        let is_header = cells.iter().map(|cell| cell.to_lowercase()).eq(COLUMNS);
        let is_rule = cells.iter().all(|cell| cell.chars().all(|character| "-: ".contains(character)));
        in_table |= is_header;
        if in_table && !is_header && !is_rule {
            let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
            scenarios.push(Scenario {
                line,
                name: cell(0).to_string(),
                positive: named(cell(1)),
                negative: named(cell(2)),
                layer: cell(3).to_string(),
            });
        }
    }
    scenarios
}

/// The cells of a row of a table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(row.split('|').map(str::trim).collect())
}

/// The tests a cell names.
fn named(cell: &str) -> Vec<Named> {
    let links = cell.split("[`").skip(1).filter_map(|link| link.split_once(')')?.0.split_once("`]("));
    links
        .map(|(function, target)| {
            let path = target.strip_prefix("../").map_or_else(|| format!("docs/{target}"), str::to_string);
            Named { path, function: function.to_string() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    const PLACING: &str = "services/orders/tests/it/placing.rs";
    const RACES: &str = "e2e/tests/orchestration/races.rs";
    const HEADER: &str = "| Business scenario | Positive test | Negative test | Layer |\n| --- | :-- | --- | --- |\n";
    const TESTS: &str = "#[test]\nfn yes() {}\n#[tokio::test(flavor = \"multi_thread\")]\n#[expect(dead_code)]\nasync fn no() {}\nfn help() {}";

    fn tree(rows: &str) -> Tree {
        let document = format!("# Tests\n{HEADER}{rows}\n");
        Tree::of([(DOCUMENT, &document), (PLACING, TESTS), (RACES, "#[tokio::test]\nasync fn both() {}")])
    }

    fn row(positive: &str, negative: &str, layer: &str) -> String {
        format!("| an order is placed | {positive} | {negative} | {layer} |")
    }

    const YES: &str = "[`yes`](../services/orders/tests/it/placing.rs)";
    const NO: &str = "[`no`](../services/orders/tests/it/placing.rs)";
    const BOTH: &str = "[`both`](../e2e/tests/orchestration/races.rs)";

    #[test]
    fn scenarios_whose_tests_exist_pass() {
        let rows = row(YES, &format!("{NO}, {BOTH}"), "service, orchestration");
        assert!(said(check, &tree(&rows)).is_empty());
    }

    #[test]
    fn a_tree_without_the_document_or_without_the_table_is_refused() {
        assert_eq!(said(check, &Tree::of([])).len(), 1);
        assert!(
            said(check, &Tree::of([(DOCUMENT, "| a | b |\n| --- | --- |\n")]))[0].contains("there must be a table")
        );
    }

    #[test]
    fn a_scenario_without_its_positive_or_its_negative_test_is_refused() {
        let expected =
            |kind| format!("docs/testing.md:4: «an order is placed» has no {kind} test; name it as [`function`](file)");
        let both = |found: Vec<String>| found.into_iter().filter(|said| !said.contains("races.rs")).collect::<Vec<_>>();
        assert_eq!(both(said(check, &tree(&row(YES, "see there", "service")))), [expected("negative")]);
        assert_eq!(both(said(check, &tree(&row("", NO, "service")))), [expected("positive")]);
    }

    #[test]
    fn a_test_that_is_gone_or_was_never_one_is_refused() {
        let gone = YES.replace("yes", "gone");
        let no_test = NO.replace("no", "help");
        let moved = BOTH.replace("races", "moved");
        let found = said(check, &tree(&row(&format!("{gone} {no_test} {moved}"), BOTH, "service, orchestration")));
        assert_eq!(
            found,
            [
                "docs/testing.md:4: «an order is placed»: services/orders/tests/it/placing.rs has no test `gone`",
                "docs/testing.md:4: «an order is placed»: services/orders/tests/it/placing.rs has no test `help`",
                "docs/testing.md:4: «an order is placed»: there is no e2e/tests/orchestration/moved.rs",
            ]
        );
    }

    #[test]
    fn one_test_that_is_to_be_both_a_wrong_layer_and_a_scenario_told_twice_are_refused() {
        let rows = [row(BOTH, BOTH, "orchestration"), row(YES, NO, "end-to-end"), row(YES, NO, "service")].join("\n");
        assert_eq!(
            said(check, &tree(&rows)),
            [
                "docs/testing.md:4: «an order is placed»: `both` cannot be its positive and its negative test",
                "docs/testing.md:5: «an order is placed» stands here twice",
                "docs/testing.md:5: «an order is placed»: its tests are of the layer «service», not «end-to-end»",
                "docs/testing.md:6: «an order is placed» stands here twice",
            ]
        );
    }

    #[test]
    fn a_test_of_several_services_that_no_scenario_names_is_refused() {
        assert_eq!(
            said(check, &tree(&row(YES, NO, "service"))),
            [
                "e2e/tests/orchestration/races.rs:2: `both` is missing in docs/testing.md: which scenario does it stand for?"
            ]
        );
    }
}
