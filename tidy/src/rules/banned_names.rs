//! No folder and no module is called `common`, `utils` and the like.
//!
//! Such a name says that its author did not know what the thing is; whatever has no home ends up there, and everything
//! depends on it. `shared-schemas` is exempt: what it shares is said.

use std::collections::BTreeSet;

use crate::{Tree, Violation};

const BANNED: [&str; 10] =
    ["common", "core", "helper", "helpers", "manager", "misc", "shared", "util", "utils", "utilities"];

const EXEMPT: [&str; 1] = ["shared-schemas"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut seen = BTreeSet::new();
    for file in tree.files() {
        let (folders, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        for name in folders.split('/').chain(name.strip_suffix(".rs")).filter(|name| !EXEMPT.contains(name)) {
            let banned = name.split(['-', '_']).find(|word| BANNED.contains(word));
            if let Some(banned) = banned.filter(|_| seen.insert((folders, name))) {
                let message = format!("`{name}`: call it by what it does; «{banned}» collects what has no home");
                violations.push(Violation::new(&file.path, 1, message));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn folders_and_modules_that_name_nothing_are_refused() {
        let tree = Tree::of([
            ("libs/common/src/lib.rs", ""),
            ("libs/common/src/io.rs", ""),
            ("services/orders/src/http_utils.rs", ""),
        ]);
        assert_eq!(
            said(check, &tree),
            [
                "libs/common/src/lib.rs:1: `common`: call it by what it does; «common» collects what has no home",
                "services/orders/src/http_utils.rs:1: `http_utils`: call it by what it does; «utils» collects what has no home",
            ]
        );
    }

    #[test]
    fn names_that_say_something_pass() {
        let tree = Tree::of([("shared-schemas/src/lib.rs", ""), ("libs/streams/src/score.rs", ""), ("core.yaml", "")]);
        assert!(said(check, &tree).is_empty());
    }
}
