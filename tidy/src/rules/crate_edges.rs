//! Who may depend on whom, and which crates may use the libraries that reach outside.
//!
//! ```text
//! avro-codec <- streams <- streams-kafka <- service-kit <- services
//! {avro-codec, streams} <- shared-schemas <- services
//! ```
//!
//! The codec stands below the vocabulary (docs/adr/0001). A service sees the kit and the contract, never the client
//! library and never another service: that is what lets a team change one alone. What tests need (`test-kit`, `local`)
//! is a dev-dependency, so that no binary carries it.

use crate::manifest::Manifest;
use crate::{Tree, Violation};

/// What the crate in a folder may depend on inside the workspace.
struct Edges {
    /// Always.
    runtime: &'static [&'static str],
    /// In tests besides.
    tests: &'static [&'static str],
}

/// Libraries that reach outside, and the crates that may use them; `*` at the end stands for any rest.
const CONFINED: [(&str, &[&str]); 2] = [
    ("rdkafka*", &["libs/streams-kafka", "libs/test-kit", "load-tests"]),
    ("opentelemetry*", &["libs/service-kit", "libs/streams-kafka"]),
];

fn edges(folder: &str) -> Option<Edges> {
    let (runtime, tests): (&[_], &[_]) = match folder {
        "libs/avro-codec" => (&[], &["local", "test-kit"]),
        "libs/streams" => (&["avro-codec"], &[]),
        "libs/streams-kafka" => (&["avro-codec", "streams"], &["local", "test-kit"]),
        "libs/service-kit" => (&["avro-codec", "streams", "streams-kafka"], &["local", "test-kit"]),
        "libs/test-kit" => (&["avro-codec", "local", "streams", "streams-kafka"], &[]),
        "shared-schemas" => (&["avro-codec", "streams"], &["local", "test-kit"]),
        "deploy/local" => (&[], &["test-kit"]),
        "deploy/steps" => {
            (&["avro-codec", "service-kit", "shared-schemas", "streams", "streams-kafka"], &["local", "test-kit"])
        }
        "load-tests" => {
            (&["avro-codec", "local", "service-kit", "shared-schemas", "streams", "streams-kafka", "test-kit"], &[])
        }
        "e2e" => (&["avro-codec", "local", "shared-schemas", "streams", "test-kit"], &[]),
        "tidy" => (&[], &["shared-schemas", "streams"]),
        service if service.starts_with("services/") => {
            (&["service-kit", "shared-schemas", "streams"], &["avro-codec", "local", "streams-kafka", "test-kit"])
        }
        _ => return None,
    };
    Some(Edges { runtime, tests })
}

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let manifests: Vec<_> = tree.manifests().collect();
    let crates: Vec<&str> = manifests.iter().map(|manifest| name(manifest.folder)).collect();
    manifests
        .iter()
        .flat_map(|manifest| own_edges(manifest, &crates).into_iter().chain(outside(tree, manifest)))
        .collect()
}

fn own_edges(manifest: &Manifest<'_>, crates: &[&str]) -> Vec<Violation> {
    let path = &manifest.file.path;
    let Some(Edges { runtime, tests }) = edges(manifest.folder) else {
        let message =
            format!("{} has no place in the graph; give it one in tidy/src/rules/crate_edges.rs", manifest.folder);
        return vec![Violation::new(path, 1, message)];
    };
    let allowed = |name: &str, for_tests| runtime.contains(&name) || for_tests && tests.contains(&name);
    let dependencies = manifest.dependencies();
    let refused = dependencies.iter().filter(|it| crates.contains(&it.name) && !allowed(it.name, it.for_tests));
    let violation = |name: &str, line| {
        let remedy = if tests.contains(&name) {
            format!("only its tests may; it itself may on {}", runtime.join(", "))
        } else if runtime.is_empty() {
            "it stands on nothing of the workspace".to_string()
        } else {
            format!("it may on {}", runtime.join(", "))
        };
        Violation::new(path, line, format!("{} must not depend on {name}; {remedy}", manifest.folder))
    };
    refused.map(|it| violation(it.name, it.line)).collect()
}

fn outside(tree: &Tree, manifest: &Manifest<'_>) -> Vec<Violation> {
    let path = &manifest.file.path;
    let mut violations = Vec::new();
    for dependency in manifest.dependencies() {
        for (library, folders) in CONFINED {
            if dependency.name.starts_with(library.trim_end_matches('*')) && !folders.contains(&manifest.folder) {
                let message =
                    format!("{} belongs to {} alone; ask them for what you need", dependency.name, folders.join(", "));
                violations.push(Violation::new(path, dependency.line, message));
            }
        }
        let database =
            manifest.folder.starts_with("services/") && tree.file(&format!("{}/src/db.rs", manifest.folder)).is_some();
        // What views write is measured beside the same rows by COPY.
        let is_measuring = manifest.folder == "load-tests";
        if dependency.name.starts_with("sqlx") && !database && !is_measuring {
            let message = "sqlx is for a service with a database, whose SQL is in src/db.rs";
            violations.push(Violation::new(path, dependency.line, message));
        }
    }
    violations
}

fn name(folder: &str) -> &str {
    folder.rsplit('/').next().unwrap_or(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn an_edge_that_points_up_or_sideways_is_refused() {
        let tree = Tree::of([
            ("libs/avro-codec/Cargo.toml", "[dependencies]\nstreams.workspace = true"),
            ("libs/streams/Cargo.toml", "[dependencies]\navro-codec.workspace = true"),
            ("services/fraud/Cargo.toml", "[dependencies]\nstreams.workspace = true\norders = { workspace = true }"),
            ("services/orders/Cargo.toml", "[target.'cfg(unix)'.dependencies]\navro-codec.workspace = true"),
        ]);
        assert_eq!(
            said(check, &tree),
            [
                "libs/avro-codec/Cargo.toml:2: libs/avro-codec must not depend on streams; it stands on nothing of the workspace",
                "services/fraud/Cargo.toml:3: services/fraud must not depend on orders; it may on service-kit, shared-schemas, streams",
                "services/orders/Cargo.toml:2: services/orders must not depend on avro-codec; only its tests may; it itself may on service-kit, shared-schemas, streams",
            ]
        );
    }

    #[test]
    fn what_tests_need_is_a_dev_dependency() {
        let kit = ("libs/test-kit/Cargo.toml", "");
        let wrong = Tree::of([kit, ("services/fraud/Cargo.toml", "[dependencies]\ntest-kit.workspace = true")]);
        let right = Tree::of([kit, ("services/fraud/Cargo.toml", "[dev-dependencies]\ntest-kit.workspace = true")]);
        assert_eq!(said(check, &wrong).len(), 1);
        assert!(said(check, &right).is_empty());
    }

    #[test]
    fn e2e_knows_no_service() {
        let tree = Tree::of([
            ("services/orders/Cargo.toml", ""),
            ("e2e/Cargo.toml", "[dev-dependencies]\norders.workspace = true"),
        ]);
        assert!(said(check, &tree)[0].starts_with("e2e/Cargo.toml:2: e2e must not depend on orders"));
    }

    #[test]
    fn libraries_that_reach_outside_are_confined() {
        let tree = Tree::of([
            ("services/fraud/Cargo.toml", "[dev-dependencies]\nrdkafka.workspace = true\nsqlx.workspace = true"),
            ("libs/streams/Cargo.toml", "[dependencies]\nopentelemetry_sdk.workspace = true"),
            ("services/views/Cargo.toml", "[dependencies]\nsqlx.workspace = true"),
            ("services/views/src/db.rs", ""),
        ]);
        let violations = said(check, &tree);
        assert_eq!(violations.len(), 3, "{violations:#?}");
        assert!(violations[0].starts_with("services/fraud/Cargo.toml:2: rdkafka belongs to libs/streams-kafka"));
        assert!(violations[1].starts_with("services/fraud/Cargo.toml:3: sqlx is for a service with a database"));
        assert!(violations[2].starts_with("libs/streams/Cargo.toml:2: opentelemetry_sdk belongs to"));
    }

    #[test]
    fn a_crate_without_a_place_in_the_graph_is_refused() {
        let tree = Tree::of([("libs/novelty/Cargo.toml", "")]);
        assert!(said(check, &tree)[0].contains("libs/novelty has no place in the graph"));
    }
}
