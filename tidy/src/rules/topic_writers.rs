//! Every topic has one writer and is declared once; what is private is read by its writer alone.
//!
//! Whoever reads a topic can then ask one service why a record is there, and the broker can enforce it. `Topology::build`
//! refuses a foreign sink at run time; this rule sees it, and the journals of gateways, before anything runs.

use std::collections::BTreeMap;

use crate::rust::{Kind, Token, code};
use crate::{Topic, Tree, Violation};

/// Writers outside the services: the warehouse is played by the seed tool.
const OUTSIDE: [&str; 1] = ["warehouse"];

/// Calls that write to a topic they are given, or say that the service will.
const WRITES: [&str; 4] = ["append", "journals", "route", "to"];

const DECLARATIONS: &str = "shared-schemas/src/lib.rs";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let constants = constants(tree);
    let mut violations = declared(tree);
    violations.extend(undeclared(tree, &constants));
    for file in tree.rust_files().filter(|file| !file.is_test()) {
        let Some(user) = file.service().or(file.is_in("deploy").then_some("the seed tool")) else { continue };
        let code: Vec<Token<'_>> = code(&file.text).into_iter().filter(|token| !token.in_test).collect();
        for (at, token) in code.iter().enumerate() {
            let Some(topic) = mentioned(tree, &constants, &code[at..]) else { continue };
            let plays = user == "the seed tool" && !tree.services().any(|service| service == topic.writer);
            if topic.writer == user || plays {
                continue;
            }
            if topic.private {
                let message = format!("{} is private to {}; {user} must not know it", topic.name, topic.writer);
                violations.push(Violation::new(&file.path, token.line, message));
            } else if is_written(&code[..at]) {
                let message =
                    format!("{} is written by {} alone; {user} needs a topic of its own", topic.name, topic.writer);
                violations.push(Violation::new(&file.path, token.line, message));
            }
        }
    }
    violations
}

fn declared(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut refuse = |message: String| violations.push(Violation::new(DECLARATIONS, 1, message));
    for (at, Topic { name, writer, .. }) in tree.topics.iter().enumerate() {
        if tree.topics[..at].iter().any(|earlier| earlier.name == *name) {
            refuse(format!("{name} is declared twice"));
        }
        if !tree.services().any(|service| service == writer) && !OUTSIDE.contains(&writer.as_str()) {
            refuse(format!("{name} is written by {writer}, which is no folder of services/"));
        }
    }
    violations
}

/// Topics with a constant that no step would create, because `topics()` does not list them.
fn undeclared(tree: &Tree, constants: &BTreeMap<String, Constant>) -> Vec<Violation> {
    let unlisted =
        constants.iter().filter(|(_, constant)| tree.topics.iter().all(|topic| topic.name != constant.topic));
    let message = |name| format!("{name} is missing in shared_schemas::topics(), so that nobody creates it");
    unlisted.map(|(name, constant)| Violation::new(&constant.path, constant.line, message(name))).collect()
}

/// Where the constant of a topic is declared.
struct Constant {
    topic: String,
    path: String,
    line: usize,
}

/// The constants of type `Topic` in `shared-schemas`: the first string of each is the name of its topic.
fn constants(tree: &Tree) -> BTreeMap<String, Constant> {
    let mut constants = BTreeMap::new();
    for file in tree.rust_files().filter(|file| file.is_in("shared-schemas/src")) {
        let code = code(&file.text);
        for (at, window) in code.windows(4).enumerate() {
            let [keyword, name, colon, kind] = window else { continue };
            let declares = keyword.is_word("static") || keyword.is_word("const");
            if declares && colon.is_mark(":") && kind.is_word("Topic") && !keyword.in_test {
                let item = code[at..].iter().take_while(|token| !token.is_mark(";"));
                let topic = item.into_iter().find(|token| token.kind == Kind::Text).map_or("", |token| token.text);
                let constant = Constant { topic: topic.into(), path: file.path.clone(), line: name.line };
                constants.insert(name.text.to_string(), constant);
            }
        }
    }
    constants
}

/// The topic that is spoken of here: by its constant, or as `order_validations("fraud")`, a family with a writer each.
fn mentioned(tree: &Tree, constants: &BTreeMap<String, Constant>, code: &[Token<'_>]) -> Option<Topic> {
    if let [family, open, member, ..] = code
        && family.is_word("order_validations")
        && open.is_mark("(")
        && member.kind == Kind::Text
    {
        let name = format!("order-validations-{}", member.text);
        return Some(Topic { name, writer: member.text.to_string(), private: false });
    }
    let name = code.first().filter(|token| token.kind == Kind::Word)?.text;
    let constant = constants.get(name)?;
    tree.topics.iter().find(|topic| topic.name == constant.topic).cloned()
}

/// Whether what comes next is an argument of a call that writes.
fn is_written(before: &[Token<'_>]) -> bool {
    let mut depth = 0_usize;
    for (at, token) in before.iter().enumerate().rev() {
        match (token.kind, token.text) {
            (Kind::Mark, ")" | "]" | "}") => depth += 1,
            // Not a call but a tuple or an array: what it is an argument of stands further out.
            (Kind::Mark, "(" | "[") if depth == 0 && at > 0 && before[at - 1].kind == Kind::Mark => {}
            (Kind::Mark, "(") if depth == 0 => {
                return at > 0 && WRITES.iter().any(|write| before[at - 1].is_word(write));
            }
            (Kind::Mark, "[" | "{" | ";") if depth == 0 => return false,
            (Kind::Mark, "(" | "[" | "{") => depth -= 1,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    const ORDERS: (&str, &str) = ("services/orders/Cargo.toml", "");
    const FRAUD: (&str, &str) = ("services/fraud/Cargo.toml", "");
    const CONTRACT: (&str, &str) = (
        "shared-schemas/src/orders.rs",
        "/// The journal.\npub static ORDER_REQUESTS: Topic<OrderRequested> =\n    Topic::new(\"order-requests\", \"orders\", |request| key(request));",
    );
    const TOPICS: [(&str, &str); 1] = [("order-requests", "orders")];

    #[test]
    fn a_topic_that_another_service_writes_is_refused() {
        let source = "topology\n    .stream(&ORDER_REQUESTS)\n    .to(&ORDER_REQUESTS);\njournal.append(key(a), &shared_schemas::ORDER_REQUESTS);\nstream.route(&[(Level::Low, &LOW), (level(1), &ORDER_REQUESTS)], |order| order.level);";
        let tree = Tree::of([ORDERS, FRAUD, CONTRACT, ("services/fraud/src/topology.rs", source)]).with_topics(TOPICS);
        assert_eq!(
            said(check, &tree),
            [
                "services/fraud/src/topology.rs:3: order-requests is written by orders alone; fraud needs a topic of its own",
                "services/fraud/src/topology.rs:4: order-requests is written by orders alone; fraud needs a topic of its own",
                "services/fraud/src/topology.rs:5: order-requests is written by orders alone; fraud needs a topic of its own",
            ]
        );
    }

    #[test]
    fn the_writer_writes_the_others_read_and_tests_pipe_what_they_like() {
        let tree = Tree::of([
            ORDERS,
            FRAUD,
            CONTRACT,
            ("services/orders/src/main.rs", "journal.append(&ORDER_REQUESTS, request)"),
            ("services/fraud/src/topology.rs", "topology.stream(&ORDER_REQUESTS).to(&order_validations(\"fraud\"))"),
            ("services/fraud/src/a.rs", "#[cfg(test)]\nmod tests { fn f() { driver.append(&ORDER_REQUESTS, x) } }"),
            ("services/fraud/tests/it/main.rs", "journal.append(&ORDER_REQUESTS, request)"),
        ]);
        assert!(said(check, &tree.with_topics(TOPICS)).is_empty());
    }

    #[test]
    fn the_verdicts_of_another_check_are_refused() {
        let source = "stream.to(&order_validations(\"inventory\"))";
        let tree = Tree::of([FRAUD, ("services/fraud/src/topology.rs", source)]);
        assert!(said(check, &tree)[0].contains("order-validations-inventory is written by inventory alone"));
    }

    #[test]
    fn the_seed_tool_plays_the_writers_that_are_no_service_and_no_others() {
        let contract = "static A: Topic<A> = Topic::new(\"a\", \"warehouse\");\nstatic B: Topic<B> = Topic::new(\"b\", \"orders\");";
        let tree = Tree::of([
            ORDERS,
            ("shared-schemas/src/all.rs", contract),
            ("deploy/steps/src/seed.rs", "journal.append(&A);\njournal.append(&B);"),
        ]);
        let violations = said(check, &tree.with_topics([("a", "warehouse"), ("b", "orders")]));
        assert_eq!(
            violations,
            ["deploy/steps/src/seed.rs:2: b is written by orders alone; the seed tool needs a topic of its own"]
        );
    }

    #[test]
    fn a_private_topic_of_another_service_is_refused_even_for_reading() {
        let mut tree =
            Tree::of([ORDERS, FRAUD, CONTRACT, ("services/fraud/src/topology.rs", "stream(&ORDER_REQUESTS)")])
                .with_topics(TOPICS);
        tree.topics[0].private = true;
        assert!(said(check, &tree)[0].contains("order-requests is private to orders; fraud must not know it"));
    }

    #[test]
    fn twins_orphans_and_unlisted_topics_are_refused() {
        let tree = Tree::of([CONTRACT]);
        let tree = tree.with_topics([("a", "warehouse"), ("a", "warehouse"), ("b", "nobody")]);
        assert_eq!(
            said(check, &tree),
            [
                "shared-schemas/src/lib.rs:1: a is declared twice",
                "shared-schemas/src/lib.rs:1: b is written by nobody, which is no folder of services/",
                "shared-schemas/src/orders.rs:2: ORDER_REQUESTS is missing in shared_schemas::topics(), so that nobody creates it",
            ]
        );
    }
}
