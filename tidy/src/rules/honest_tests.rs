//! No test is ignored, and no test sleeps.
//!
//! An ignored test is a comment that looks like proof. A sleep is a guess about somebody else's machine, too short on a
//! busy one and too long on all others; wait for the condition itself, with a deadline that has a name.

use crate::rust::code;
use crate::{Tree, Violation};

const SLEEPS: [&str; 3] = ["sleep", "sleep_ms", "sleep_until"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.rust_files() {
        let code = code(&file.text);
        for window in code.windows(3) {
            let [first, second, third] = window else { continue };
            if first.is_mark("#") && second.is_mark("[") && third.is_word("ignore") {
                let message = "an ignored test proves nothing; make it run or delete it";
                violations.push(Violation::new(&file.path, third.line, message));
            }
        }
        for window in code.windows(2) {
            let [name, open] = window else { continue };
            let sleeps = SLEEPS.iter().any(|sleep| name.is_word(sleep)) && open.is_mark("(");
            if sleeps && (name.in_test || file.is_test()) {
                let message =
                    format!("a test must not {}; wait for the condition, with a deadline that has a name", name.text);
                violations.push(Violation::new(&file.path, name.line, message));
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
    fn ignored_tests_are_refused() {
        let tree = Tree::of([("libs/streams/src/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn t() {}")]);
        let expected = "libs/streams/src/a.rs:2: an ignored test proves nothing; make it run or delete it";
        assert_eq!(said(check, &tree), [expected]);
    }

    #[test]
    fn tests_that_sleep_are_refused_wherever_they_stand() {
        let sleep = "tokio::time::sleep(second).await;";
        let in_module = format!("#[cfg(test)]\nmod tests {{ async fn t() {{ {sleep} }} }}");
        let tree = Tree::of([
            ("services/orders/tests/it/main.rs", sleep),
            ("e2e/src/lib.rs", sleep),
            ("libs/streams/src/task/tests.rs", sleep),
            ("libs/streams/src/a.rs", &in_module),
        ]);
        assert_eq!(said(check, &tree).len(), 4);
    }

    #[test]
    fn code_that_is_no_test_may_sleep_and_tests_may_speak_of_it() {
        let tree = Tree::of([
            ("deploy/local/src/probe.rs", "std::thread::sleep(PAUSE);"),
            ("services/orders/tests/it/main.rs", "// sleep(1)\nlet text = \"sleep(1)\";"),
        ]);
        assert!(said(check, &tree).is_empty());
    }
}
