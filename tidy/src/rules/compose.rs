//! What `deploy/compose.yaml` takes from its environment stands in `deploy/.env`, and what stands there is taken.
//!
//! Compose puts nothing in for a variable that is not set, with a warning at most: a port that was renamed in one place
//! opens nowhere. One with a default of its own (`${REVISION:-unknown}`) need not be there.

use std::collections::BTreeMap;

use crate::{Tree, Violation};

const COMPOSE: &str = "deploy/compose.yaml";
const VARIABLES: &str = "deploy/.env";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let Some(compose) = tree.file(COMPOSE) else { return Vec::new() };
    let variables = tree.file(VARIABLES).map(|file| &*file.text).unwrap_or_default();
    let set: BTreeMap<&str, usize> =
        variables.lines().zip(1..).filter_map(|(text, line)| Some((text.split_once('=')?.0, line))).collect();
    let taken = taken(&compose.text);
    let mut violations = Vec::new();
    for (line, name, has_default) in &taken {
        if !has_default && !set.contains_key(name) {
            violations.push(Violation::new(COMPOSE, *line, format!("{name} is not set in {VARIABLES}")));
        }
    }
    // Those that begin with # are comments, whatever they say.
    let set = set.into_iter().filter(|(name, _)| !name.starts_with('#'));
    for (name, line) in set.filter(|(name, _)| !taken.iter().any(|(_, taken, _)| taken == name)) {
        violations.push(Violation::new(VARIABLES, line, format!("{COMPOSE} does not take {name}")));
    }
    violations
}

/// The variables that are taken, with their lines, and whether they have a default.
fn taken(text: &str) -> Vec<(usize, &str, bool)> {
    let mut taken = Vec::new();
    for (line, text) in (1..).zip(text.lines().map(|text| text.split(" #").next().unwrap_or_default())) {
        for inside in text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)) {
            let name = inside.split([':', '-', '?']).next().unwrap_or(inside);
            taken.push((line, name, inside.len() > name.len()));
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn variables_that_are_set_and_taken_pass() {
        let compose = "image: ${A_IMAGE}:${TAG:-dev} # ${NOT_THIS}\nports: [\"127.0.0.1:${PORT}:80\"]";
        let tree = Tree::of([(COMPOSE, compose), (VARIABLES, "# A=b\nA_IMAGE=a\n\nPORT=8080\n")]);
        assert!(said(check, &tree).is_empty());
    }

    #[test]
    fn a_variable_that_is_only_taken_or_only_set_is_found() {
        let tree = Tree::of([(COMPOSE, "image: a\nport: ${PORT}"), (VARIABLES, "PORTS=8080")]);
        let expected = [
            "deploy/compose.yaml:2: PORT is not set in deploy/.env",
            "deploy/.env:1: deploy/compose.yaml does not take PORTS",
        ];
        assert_eq!(said(check, &tree), expected);
    }
}
