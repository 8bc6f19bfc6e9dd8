//! Holds the rules of the house against the tree this crate stands in.

use std::io::{Write, stdout};
use std::path::Path;

use streams::Visibility;
use tidy::{RULES, Repetition, Topic, Tree};

#[test]
fn the_tree_keeps_the_rules_of_the_house() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut tree = Tree::read(&root).expect("the tree is readable");
    let topics = shared_schemas::topics().into_iter();
    tree.topics = topics
        .map(|topic| Topic { name: topic.name, writer: topic.writer, private: topic.visibility == Visibility::Private })
        .collect();

    // Written past the capture of tests, so that it is seen also when all is well.
    writeln!(stdout(), "{}", Repetition::of(&tree)).expect("there is an output");

    let mut report = String::new();
    for (name, rule) in RULES {
        let violations = rule(&tree);
        if !violations.is_empty() {
            report += &format!("\n{name} ({})\n", violations.len());
            report.extend(violations.iter().map(|violation| format!("  {violation}\n")));
        }
    }
    assert!(report.is_empty(), "the tree breaks rules of the house; each is explained in tidy/src/rules/\n{report}");
}
