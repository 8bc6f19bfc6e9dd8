//! The name of a topic is typed once, where the topic is declared: in `shared-schemas`.
//!
//! Everybody else says `ORDERS` and gets name, key and type together, so that a renamed topic is found by the compiler.
//! Names that follow from a service (changelogs, repartition topics, dead letters) are derived and typed nowhere. Tests
//! in `tests/` and `e2e/` look from outside and may name what a stranger would see.
//!
//! Where a topic is called like a service, the word may stand for the service: in its own folder, and in `deploy/` and
//! `load-tests/`, which start services by name.

use crate::rust::{Kind, code};
use crate::{File, Tree, Violation};

const DERIVED: [&str; 4] = ["-changelog", "-dead-letters", "-repartition", "-retry"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let exempt = |file: &File| file.is_in("shared-schemas") || file.is_in("tidy") || file.is_test();
    let mut violations = Vec::new();
    for file in tree.rust_files().filter(|file| !exempt(file)) {
        for token in code(&file.text).iter().filter(|token| token.kind == Kind::Text) {
            let declared = tree.topics.iter().any(|topic| topic.name == token.text);
            let derived = tree.services().any(|service| is_derived(token.text, service));
            let message = if declared && !means_service(tree, file, token.text) {
                format!("\"{}\" is the name of a topic; use its constant in shared-schemas", token.text)
            } else if derived {
                format!("\"{}\" follows from its service; derive it", token.text)
            } else {
                continue;
            };
            violations.push(Violation::new(&file.path, token.line, message));
        }
    }
    violations
}

fn is_derived(name: &str, service: &str) -> bool {
    let of_service = name.strip_prefix(service).is_some_and(|rest| DERIVED.iter().any(|end| rest.ends_with(end)));
    of_service && name.chars().all(|character| character.is_alphanumeric() || "._-".contains(character))
}

fn means_service(tree: &Tree, file: &File, name: &str) -> bool {
    let is_writer = tree.topics.iter().any(|topic| topic.writer == name);
    is_writer && (file.service() == Some(name) || file.is_in("deploy") || file.is_in("load-tests"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    fn tree<const N: usize>(files: [(&str, &str); N]) -> Tree {
        Tree::of(files).with_topics([("orders", "orders"), ("order-requests", "orders"), ("orders-gold", "email")])
    }

    #[test]
    fn a_topic_named_by_a_literal_is_refused() {
        let tree = tree([
            ("services/orders/src/topology.rs", "\nstream(\"order-requests\")"),
            ("services/fraud/src/topology.rs", "stream(\"orders\")"),
            ("deploy/steps/src/main.rs", "// \"orders-gold\"\ncreate(\"orders-gold\")"),
        ]);
        assert_eq!(
            said(check, &tree),
            [
                "services/orders/src/topology.rs:2: \"order-requests\" is the name of a topic; use its constant in shared-schemas",
                "services/fraud/src/topology.rs:1: \"orders\" is the name of a topic; use its constant in shared-schemas",
                "deploy/steps/src/main.rs:2: \"orders-gold\" is the name of a topic; use its constant in shared-schemas",
            ]
        );
    }

    #[test]
    fn a_derived_name_is_refused() {
        let tree = tree([
            ("services/orders/Cargo.toml", ""),
            ("libs/service-kit/src/lib.rs", "f(\"orders-dead-letters\"); format!(\"{service}-dead-letters\")"),
        ]);
        let expected = "libs/service-kit/src/lib.rs:1: \"orders-dead-letters\" follows from its service; derive it";
        assert_eq!(said(check, &tree), [expected]);
    }

    #[test]
    fn declarations_black_box_tests_and_names_of_services_pass() {
        let tree = tree([
            ("shared-schemas/src/orders.rs", "Topic::new(\"order-requests\")"),
            ("e2e/src/lib.rs", "read(\"orders\")"),
            ("services/fraud/tests/it/main.rs", "read(\"orders\")"),
            ("services/orders/src/topology.rs", "Topology::new(\"orders\")"),
            ("deploy/local/src/stack.rs", "Part::service(\"orders\")"),
            ("services/fraud/src/http.rs", "\"/v1/orders\"; // \"orders\""),
        ]);
        assert!(said(check, &tree).is_empty());
    }
}
