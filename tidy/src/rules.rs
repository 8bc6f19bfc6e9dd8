mod alerts;
mod banned_names;
mod canvases;
mod compose;
mod crate_edges;
mod domain_words;
mod file_sizes;
mod honest_tests;
mod links;
mod manifests;
mod metrics;
mod modules;
mod promql;
mod pure_domain;
mod repetition;
mod scenarios;
mod topic_literals;
mod topic_writers;
mod traces;

pub use repetition::Repetition;

use crate::{Tree, Violation};

/// A rule: where does this tree break it?
pub type Rule = fn(&Tree) -> Vec<Violation>;

/// Every rule of the house, by name.
pub const RULES: [(&str, Rule); 18] = [
    ("alerts", alerts::check),
    ("banned names", banned_names::check),
    ("canvases", canvases::check),
    ("compose", compose::check),
    ("crate edges", crate_edges::check),
    ("domain words", domain_words::check),
    ("file sizes", file_sizes::check),
    ("honest tests", honest_tests::check),
    ("links", links::check),
    ("manifests", manifests::check),
    ("metrics", metrics::check),
    ("modules", modules::check),
    ("pure domain", pure_domain::check),
    ("repetition", repetition::check),
    ("scenarios", scenarios::check),
    ("topic literals", topic_literals::check),
    ("topic writers", topic_writers::check),
    ("traces", traces::check),
];

/// What a rule says about a tree, a line each, for the tests of the rules.
#[cfg(test)]
fn said(rule: Rule, tree: &Tree) -> Vec<String> {
    rule(tree).iter().map(ToString::to_string).collect()
}
