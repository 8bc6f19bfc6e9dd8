//! A service's `domain.rs` is pure and synchronous: it imports `std` and the event types, no more.
//!
//! It says why the service does what it does. Nobody should need a runtime, a broker or a clock to read or test it.
//!
//! A type that the domain keeps in a store is an event type of its own, private to the service. So `streams::Timestamp`
//! and what describes such a type (`streams::AvroRecord`, the two derives of serde) may be imported as well.

use crate::manifest::Manifest;
use crate::rust::{Token, code};
use crate::{File, Tree, Violation};

/// What may be imported by name from crates other than std and the event types.
const PERMITTED: [(&str, &[&str]); 2] =
    [("serde", &["Deserialize", "Serialize"]), ("streams", &["AvroRecord", "Timestamp"])];

/// What tests may import besides: seeded, it is a function like any other.
const PERMITTED_IN_TESTS: &str = "fastrand";

/// Words that make code asynchronous, chatty or dependent on the world, and what stands for them.
const REFUSED: [(&str, &str); 7] = [
    ("async", "let the topology or the gateway wait"),
    ("await", "let the topology or the gateway wait"),
    ("Instant", "take the time as an argument"),
    ("SystemTime", "take the time as an argument"),
    ("println", "return what is to be known"),
    ("eprintln", "return what is to be known"),
    ("spawn", "let the kit supervise tasks"),
];

/// Modules of `std` that reach outside.
const WORLD: [&str; 6] = ["env", "fs", "io", "net", "process", "thread"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for manifest in tree.manifests() {
        for path in [format!("{}/src/domain.rs", manifest.folder), format!("{}/src/domain/", manifest.folder)] {
            let files = tree
                .rust_files()
                .filter(|file| file.path == path || path.ends_with('/') && file.path.starts_with(&path));
            violations.extend(files.flat_map(|file| impurities(file, &manifest)));
        }
    }
    violations
}

fn impurities(file: &File, manifest: &Manifest<'_>) -> Vec<Violation> {
    let dependencies = manifest.dependencies();
    let crates: Vec<String> = dependencies.iter().map(|dependency| dependency.name.replace('-', "_")).collect();
    let code: Vec<Token<'_>> = code(&file.text).into_iter().filter(|token| !token.in_test).collect();
    let mut violations = Vec::new();
    for (at, token) in code.iter().enumerate() {
        let is_path = |at: usize| [0, 1].iter().all(|next| code.get(at + next).is_some_and(|mark| mark.is_mark(":")));
        let starts_path = is_path(at + 1) && !(at > 1 && is_path(at - 2)) && !(at > 0 && code[at - 1].is_mark("."));
        let name = token.text;
        let next = code.get(at + 3).map_or("", |next| next.text);
        let message = if let Some((_, instead)) = REFUSED.iter().find(|(word, _)| token.is_word(word)) {
            Some(format!("`{name}` has no place in the domain; {instead}"))
        } else if let Some((_, names)) = PERMITTED.iter().find(|(permitted, _)| starts_path && name == *permitted) {
            let imported = all_of(names, &code[at + 3..]);
            (!imported).then(|| format!("of `{name}` the domain may know {} alone", names.join(", ")))
        } else if starts_path && file.path.ends_with("/tests.rs") && name == PERMITTED_IN_TESTS {
            None
        } else if starts_path && name != "shared_schemas" && crates.iter().any(|known| known == name) {
            Some(format!("the domain imports std and the event types, not `{name}`"))
        } else if starts_path && name == "std" && WORLD.contains(&next) {
            Some(format!("`std::{next}` reaches outside; pass in what the domain needs to know"))
        } else if starts_path && name == "crate" && next != "domain" {
            Some("the domain knows nothing of the rest of the service; pass it in".to_string())
        } else {
            None
        };
        violations.extend(message.map(|message| Violation::new(&file.path, token.line, message)));
    }
    violations
}

/// Whether a path goes on with one of these names, or with a group of nothing else.
fn all_of(names: &[&str], code: &[Token<'_>]) -> bool {
    let group = code.first().is_some_and(|token| token.is_mark("{"));
    let imported: Vec<&str> = match group {
        true => code[1..].iter().take_while(|token| !token.is_mark("}")).map(|token| token.text).collect(),
        false => code.first().map(|token| token.text).into_iter().collect(),
    };
    imported.iter().all(|name| *name == "," || names.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    fn lines(source: &str) -> Vec<usize> {
        let manifest = "[dependencies]\ntokio.workspace = true\nservice-kit.workspace = true\n\
            streams.workspace = true\nshared-schemas.workspace = true\nserde.workspace = true";
        let tree = Tree::of([("services/fraud/Cargo.toml", manifest), ("services/fraud/src/domain.rs", source)]);
        check(&tree).into_iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn what_reaches_outside_is_refused() {
        assert_eq!(lines("use tokio::time;\nfn f() { service_kit::run() }"), [1, 2]);
        assert_eq!(lines("use crate::options::Options;"), [1]);
        assert_eq!(lines("async fn f() { g().await }\nfn h() -> Instant {}"), [1, 1, 2]);
        assert_eq!(lines("use std::fs;\nfn f() { std::env::var(name) }"), [1, 2]);
        assert_eq!(lines("use streams::{Store, Timestamp};\nuse streams::Topic;\nuse serde::de;"), [1, 2, 3]);
    }

    #[test]
    fn a_folder_of_the_domain_is_held_to_the_same() {
        let tree = Tree::of([
            ("services/fraud/Cargo.toml", "[dependencies]\ntracing.workspace = true"),
            ("services/fraud/src/domain/verdict.rs", "fn f() {\n    tracing::info!(1);\n}"),
        ]);
        let expected =
            "services/fraud/src/domain/verdict.rs:2: the domain imports std and the event types, not `tracing`";
        assert_eq!(said(check, &tree), [expected]);
    }

    #[test]
    fn std_events_timestamps_and_the_domain_itself_pass_and_so_do_its_tests() {
        let source = "use std::time::Duration;\nuse shared_schemas::{Order, OrderState};\nuse streams::{AvroRecord, Timestamp};\nuse serde::Serialize;\n\
            use crate::domain::verdict;\nfn f(state: OrderState) -> i64 { state.tokio::<i64>(i64::MAX) }\n\
            #[cfg(test)]\nmod tests { use tokio::time; }";
        assert!(lines(source).is_empty());
    }
}
