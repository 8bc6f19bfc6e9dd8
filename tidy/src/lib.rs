//! The house rules, as a test: `cargo test -p tidy`.
//!
//! Compiler and clippy look at one crate at a time. What holds for the tree as a whole is written down here: who may
//! depend on whom, which words stay out of `libs/`, how long a file grows, who writes a topic. A rule that is not checked
//! is a wish, so there is no list of rules elsewhere.
//!
//! A [`Tree`] is the text of every file in the repository, and a rule is a function from it to [`Violation`]s; there is
//! one small file per rule under `rules/`. Each proves itself on samples that break it, and `tests/house_rules.rs` holds
//! them all against the real tree and shows everything that is wrong at once.
//!
//! To add a rule: a file under `rules/` with a doc comment that says what and why, samples it refuses, samples it lets
//! pass, and a line in [`RULES`].

mod manifest;
mod rules;
mod rust;
mod tree;
mod violation;

pub use rules::{RULES, Repetition};
pub use tree::{File, Topic, Tree, TreeError};
pub use violation::Violation;
