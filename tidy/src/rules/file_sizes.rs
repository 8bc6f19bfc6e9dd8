//! A Rust file has at most 400 lines, the `main.rs` of a service at most 40.
//!
//! Every line counts, the blank ones, comments and tests too: it is what a reader scrolls through. A longer file tells
//! two stories. The `main` of a service only hands its parts to the kit; what does not fit belongs into the kit or a
//! module with a name. (Functions: `too-many-lines-threshold` in clippy.toml.)

use crate::{Tree, Violation};

const FILE: usize = 400;
const MAIN: usize = 40;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.rust_files() {
        let lines = file.text.lines().count();
        if file.service().is_some() && file.path.ends_with("/src/main.rs") && lines > MAIN {
            let message = format!("{lines} lines; a main of more than {MAIN} does what the kit should do");
            violations.push(Violation::new(&file.path, MAIN + 1, message));
        } else if lines > FILE {
            let message = format!("{lines} lines; split it into files of at most {FILE} that tell one story each");
            violations.push(Violation::new(&file.path, FILE + 1, message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn files_that_are_too_long_are_refused() {
        let (long, main) = ("\n".repeat(401), "\n".repeat(41));
        let tree = Tree::of([("libs/streams/src/lib.rs", &long), ("services/fraud/src/main.rs", &main)]);
        assert_eq!(
            said(check, &tree),
            [
                "libs/streams/src/lib.rs:401: 401 lines; split it into files of at most 400 that tell one story each",
                "services/fraud/src/main.rs:41: 41 lines; a main of more than 40 does what the kit should do",
            ]
        );
    }

    #[test]
    fn files_at_the_limit_pass() {
        let (long, main) = ("\n".repeat(400), "\n".repeat(40));
        let tree = Tree::of([
            ("e2e/src/lib.rs", &long),
            ("services/fraud/src/main.rs", &main),
            ("deploy/local/src/main.rs", &long),
        ]);
        assert!(said(check, &tree).is_empty());
    }
}
