//! Less than a tenth of the lines of the services stand in three services or more.
//!
//! Two services may say the same by chance; what three say belongs into the kit, or the engine, or is the price of a shape
//! that every service shares. The share of it is printed, so that it is seen growing.
//!
//! A line counts if it is Rust under `services/*/src`, compiled outside of tests, and holds a letter or digit that is not
//! of a comment; so neither lone braces nor blank lines count. Lines are the same if they are but for white space. A line
//! that stands twice in one service counts twice, and the service once. Manifests and canvases are left out, since other
//! rules demand that they look alike.
//!
//! Lines of `use` and `mod` declarations are not held against the services: each file says by them what it needs, and that
//! four services need a `Duration` is nothing to be mended. The share with them is printed beside the other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::rust::{Kind, Token, code, tokens};
use crate::{File, Tree, Violation};

/// Of how many services a line is everybody's.
const SERVICES: usize = 3;

/// How much of all lines may be, in per mille.
const LIMIT: usize = 100;

/// How many of the lines that are everybody's are shown.
const SHOWN: usize = 20;

/// How much of the services' own code says what others say too.
#[derive(Debug)]
pub struct Repetition {
    work: Share,
    with_declarations: Share,
}

/// Lines that stand in three services or more, among all.
#[derive(Debug)]
struct Share {
    repeated: usize,
    lines: usize,
    /// The texts of the former, those that stand most often first, each with how often.
    texts: Vec<(String, usize)>,
}

/// A line that counts.
struct Line {
    /// Its white space made one.
    text: String,
    /// Whether it belongs to a `use` or a `mod`.
    is_declaration: bool,
}

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let repetition = Repetition::of(tree);
    if repetition.work.per_mille() < LIMIT {
        return Vec::new();
    }
    let texts = repetition.work.texts.iter().take(SHOWN).map(|(text, times)| format!("\n    {times} × {text}"));
    vec![Violation::new("services", 1, format!("{repetition}{}", texts.collect::<String>()))]
}

impl Repetition {
    /// Counts the lines of a tree.
    pub fn of(tree: &Tree) -> Self {
        let files = tree.rust_files().filter(|file| !file.is_test());
        let of_services = files.filter_map(|file| {
            let service = file.service().filter(|service| file.is_in(&format!("services/{service}/src")))?;
            Some(lines(file).into_iter().map(move |line| (service, line)))
        });
        let lines: Vec<(&str, Line)> = of_services.flatten().collect();
        let work = lines.iter().filter(|(_, line)| !line.is_declaration);
        Self { work: Share::of(work), with_declarations: Share::of(&lines) }
    }
}

impl Share {
    fn of<'a>(lines: impl IntoIterator<Item = &'a (&'a str, Line)>) -> Self {
        let mut count = 0;
        let mut places: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
        for (service, line) in lines {
            let (times, services) = places.entry(&line.text).or_default();
            *times += 1;
            services.insert(service);
            count += 1;
        }
        let everybody = places.into_iter().filter(|(_, (_, services))| services.len() >= SERVICES);
        let mut texts: Vec<_> = everybody.map(|(text, (times, _))| (text.to_string(), times)).collect();
        texts.sort_by_key(|(_, times)| Reverse(*times));
        Self { repeated: texts.iter().map(|(_, times)| times).sum(), lines: count, texts }
    }

    fn per_mille(&self) -> usize {
        (1000 * self.repeated).checked_div(self.lines).unwrap_or(0)
    }
}

impl fmt::Display for Repetition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { work, with_declarations } = self;
        write!(
            f,
            "{work} of the services' lines stand in {SERVICES} services or more; it must be less than {} %; ",
            LIMIT / 10
        )?;
        write!(f, "with their `use` and `mod` lines {with_declarations}")
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, tenth) = (self.per_mille() / 10, self.per_mille() % 10);
        write!(f, "{percent}.{tenth} % ({} of {})", self.repeated, self.lines)
    }
}

/// The lines of a file that count.
fn lines(file: &File) -> Vec<Line> {
    let tokens = tokens(&file.text);
    let declared = declared(&code(&file.text));
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(file.text.lines()) {
        // What stands on no line of its own begins on an earlier one: a string or a comment of several lines.
        let from = tokens.partition_point(|token| token.line < number);
        let token = tokens.get(from).filter(|token| token.line == number).or(tokens[..from].last());
        let is_code = token.is_some_and(|token| token.kind != Kind::Comment && !token.in_test);
        if is_code && text.contains(char::is_alphanumeric) {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            lines.push(Line { text, is_declaration: declared.contains(&number) });
        }
    }
    lines
}

/// The lines on which a `use …;` or `mod …;` stands.
fn declared(code: &[Token<'_>]) -> BTreeSet<usize> {
    let mut declared = BTreeSet::new();
    for (at, token) in code.iter().enumerate() {
        let next = |distance: usize, mark: &str| code.get(at + distance).is_some_and(|token| token.is_mark(mark));
        // `use<'a>` says what an opaque type captures.
        let declares = (token.is_word("use") && !next(1, "<")) || (token.is_word("mod") && next(2, ";"));
        if let Some(end) = code[at..].iter().find(|token| declares && token.is_mark(";")) {
            declared.extend(token.line..=end.line);
        }
    }
    declared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    fn tree(text: &str, others: &str) -> Tree {
        Tree::of([
            ("services/a/src/main.rs", text),
            ("services/b/src/main.rs", text),
            ("services/c/src/domain.rs", text),
            ("services/c/src/other.rs", others),
        ])
    }

    fn own(count: usize) -> String {
        (0..count).map(|number| format!("let own = {number};\n")).collect()
    }

    #[test]
    fn a_tenth_that_stands_in_three_services_is_refused() {
        let found = said(check, &tree("work(1);\n", &own(27)));
        let [violation] = &found[..] else { panic!("{found:#?}") };
        assert!(
            violation.starts_with("services:1: 10.0 % (3 of 30) of the services' lines stand in 3 services or more")
        );
        assert!(violation.ends_with("\n    3 × work(1);"), "{violation}");
    }

    #[test]
    fn less_than_a_tenth_passes_and_is_counted() {
        let tree = tree("work(1);\n", &own(28));
        assert!(said(check, &tree).is_empty());
        assert!(Repetition::of(&tree).to_string().starts_with("9.6 % (3 of 31) of the services' lines"));
    }

    #[test]
    fn what_stands_in_two_services_or_thrice_in_one_is_not_everybodys() {
        let two = Tree::of([("services/a/src/a.rs", "work(1);\nwork(1);"), ("services/b/src/a.rs", "work(1);")]);
        assert_eq!(Repetition::of(&two).work.to_string(), "0.0 % (0 of 3)");
        assert_eq!(Repetition::of(&tree("work(1);\nwork(1);\n", "")).work.to_string(), "100.0 % (6 of 6)");
    }

    #[test]
    fn white_space_makes_no_difference() {
        let tree = Tree::of([
            ("services/a/src/a.rs", "work( 1 );"),
            ("services/b/src/a.rs", "    work(  1 );  "),
            ("services/c/src/a.rs", "\twork( 1 );"),
        ]);
        assert_eq!(Repetition::of(&tree).work.repeated, 3);
    }

    #[test]
    fn comments_braces_blank_lines_and_tests_do_not_count() {
        let text = "//! Story.\n\n/* a\n   comment */\nfn f() {\n    let text = \"two\n        lines\"; // said\n}\n\
            #[cfg(test)]\nmod tests {\n    use super::*;\n}\n";
        let repetition = Repetition::of(&tree(text, ""));
        let texts: Vec<_> = repetition.work.texts.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["fn f() {", "let text = \"two", "lines\"; // said"]);
        assert_eq!(repetition.with_declarations.lines, 9);
    }

    #[test]
    fn declarations_are_counted_apart() {
        let text = "pub use a::{\n    b,\n    c,\n};\nmod d;\nmod e {\n    fn f() -> impl G + use<> {}\n}\n";
        let repetition = Repetition::of(&tree(text, ""));
        let texts: Vec<_> = repetition.work.texts.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["fn f() -> impl G + use<> {}", "mod e {"]);
        assert_eq!(repetition.with_declarations.to_string(), "100.0 % (18 of 18)");
    }

    #[test]
    fn tests_in_files_of_their_own_and_the_code_of_others_do_not_count() {
        let tree = Tree::of([
            ("services/a/src/domain/tests.rs", "work(1);"),
            ("services/a/tests/it/main.rs", "work(1);"),
            ("services/a/build.rs", "work(1);"),
            ("libs/streams/src/lib.rs", "work(1);"),
        ]);
        assert_eq!(Repetition::of(&tree).with_declarations.lines, 0);
    }
}
