//! Every alert has a runbook of its name, which its annotation names; every runbook has an alert; and every alert has a unit
//! test in which it is heard, and one in which it is not.
//!
//! Whoever is woken at night has nothing but the name. `promtool` runs the unit tests; whether there are any it does not ask.

use crate::{Tree, Violation};

const ALERTS: &str = "deploy/observability/prometheus/alerts.yml";
const TESTS: &str = "deploy/observability/prometheus/alerts_test.yml";
const RUNBOOKS: &str = "docs/runbooks";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let Some(alerts) = tree.file(ALERTS) else { return violations };
    let names: Vec<(usize, &str)> = (1..)
        .zip(alerts.text.lines())
        .filter_map(|(line, text)| Some((line, text.trim().strip_prefix("- alert: ")?)))
        .collect();
    let tests = tree.file(TESTS).map(|file| &*file.text).unwrap_or_default();
    for (at, (line, name)) in names.iter().enumerate() {
        let mut say = |message: String| violations.push(Violation::new(ALERTS, *line, message));
        let runbook = format!("{RUNBOOKS}/{name}.md");
        if tree.file(&runbook).is_none() {
            say(format!("{name} has no runbook: write {runbook}"));
        }
        let until = names.get(at + 1).map_or(usize::MAX, |(next, _)| *next);
        let mut lines = alerts.text.lines().skip(*line).take(until - line - 1);
        if !lines.any(|text| text.trim() == format!("runbook_url: {runbook}")) {
            say(format!("{name} does not name its runbook: `runbook_url: {runbook}`"));
        }
        let (heard, silent) = tested(tests, name);
        if !heard {
            say(format!("no unit test in {TESTS} hears {name}"));
        }
        if !silent {
            say(format!("no unit test in {TESTS} makes sure that {name} is silent without a reason"));
        }
    }
    for file in tree.files().filter(|file| file.is_in(RUNBOOKS)) {
        let name = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".md")).unwrap_or_default();
        if !names.iter().any(|(_, alert)| *alert == name) {
            violations.push(Violation::new(&file.path, 1, format!("there is no alert {name} in {ALERTS}")));
        }
    }
    violations
}

/// Whether a unit test expects it to fire, and one that it does not.
fn tested(tests: &str, alert: &str) -> (bool, bool) {
    let (mut heard, mut silent) = (false, false);
    for (_, rest) in tests.match_indices("alertname: ").map(|(at, key)| tests.split_at(at + key.len())) {
        let Some(rest) = rest.strip_prefix(alert).filter(|rest| rest.starts_with([',', '\n', ' '])) else { continue };
        let expected = rest.split_once("exp_alerts:").map(|(_, expected)| expected.trim_start()).unwrap_or_default();
        if expected.starts_with("[]") {
            silent = true;
        } else {
            heard = true;
        }
    }
    (heard, silent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    const RULE: &str =
        "rules:\n  - alert: Gone\n    expr: up == 0\n    annotations:\n      runbook_url: docs/runbooks/Gone.md\n";
    const TEST: &str = "- {eval_time: 1m, alertname: Gone, exp_alerts: []}\n- eval_time: 2m\n  alertname: Gone\n  exp_alerts:\n    - {}\n";

    #[test]
    fn an_alert_with_a_runbook_and_both_tests_passes() {
        let tree = Tree::of([(ALERTS, RULE), (TESTS, TEST), ("docs/runbooks/Gone.md", "")]);
        assert!(said(check, &tree).is_empty());
    }

    #[test]
    fn what_an_alert_lacks_is_named() {
        let tests = TEST.replace("exp_alerts: []", "exp_alerts: [{}]");
        let rule = RULE.replace("runbooks/Gone.md", "runbooks/Went.md");
        let tree = Tree::of([(ALERTS, &rule), (TESTS, &tests), ("docs/runbooks/Lost.md", "")]);
        let expected = [
            "deploy/observability/prometheus/alerts.yml:2: Gone has no runbook: write docs/runbooks/Gone.md",
            "deploy/observability/prometheus/alerts.yml:2: Gone does not name its runbook: `runbook_url: docs/runbooks/Gone.md`",
            "deploy/observability/prometheus/alerts.yml:2: no unit test in deploy/observability/prometheus/alerts_test.yml makes \
             sure that Gone is silent without a reason",
            "docs/runbooks/Lost.md:1: there is no alert Lost in deploy/observability/prometheus/alerts.yml",
        ];
        assert_eq!(said(check, &tree), expected);
    }
}
