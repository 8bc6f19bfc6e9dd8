//! Links from one document to another lead somewhere: the file is there, and so is the heading. So do the decisions that
//! a source or document appeals to by number.
//!
//! Only links inside the repository are followed; the rest of the world is not ours to test.

use std::collections::BTreeMap;

use crate::{File, Tree, Violation};

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in links(&file.text) {
            if let Some(message) = broken(tree, file, &target) {
                violations.push(Violation::new(&file.path, line, message));
            }
        }
    }
    violations.extend(tree.files().filter(|file| !file.is_in("tidy")).flat_map(|file| decisions(tree, file)));
    violations
}

/// Mentions such as «ADR 12» of decisions that nobody took.
fn decisions(tree: &Tree, file: &File) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (line, text) in (1..).zip(file.text.lines()) {
        for (_, rest) in text.match_indices("ADR ").map(|(at, mention)| text[at..].split_at(mention.len())) {
            let number = rest.split(|digit: char| !digit.is_ascii_digit()).next().unwrap_or_default();
            let decision = format!("docs/adr/{number:0>4}-");
            if !number.is_empty() && !tree.files().any(|file| file.path.starts_with(&decision)) {
                violations.push(Violation::new(&file.path, line, format!("there is no ADR {number} in docs/adr")));
            }
        }
    }
    violations
}

fn broken(tree: &Tree, from: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
    let folder = from.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let Some(path) = (if path.is_empty() { Some(from.path.clone()) } else { resolve(folder, path) }) else {
        return Some(format!("the link to {target} leads out of the repository"));
    };
    let file = tree.file(&path);
    if file.is_none() && !tree.files().any(|file| path.is_empty() || file.is_in(&path)) {
        return Some(format!("the link to {target} leads nowhere: there is no {path}"));
    }
    let (file, heading) = (file?, heading?);
    let found = !file.path.ends_with(".md") || anchors(&file.text).iter().any(|anchor| anchor == heading);
    (!found).then(|| format!("the link to {target} leads nowhere: {path} has no such heading"))
}

/// The path from the root, if it stays below the root.
fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = match path.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => folder.split('/').filter(|part| !part.is_empty()).collect(),
    };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Targets of `[text](target)` and `[label]: target` outside of code, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (line, text) in prose(text) {
        let text = without_code(text);
        let inline = text.match_indices("](").filter_map(|(at, open)| text[at + open.len()..].split([')', ' ']).next());
        let labelled = text.strip_prefix('[').and_then(|text| text.split_once("]: ")).map(|(_, target)| target.trim());
        links.extend(inline.chain(labelled).map(|target| (line, target.trim_matches(['<', '>']).to_string())));
    }
    links
}

/// The anchors GitHub gives the headings of a text.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings =
        prose(text).filter(|(_, text)| text.starts_with('#')).map(|(_, text)| text.trim_start_matches('#').trim());
    let slug = |heading: &str| -> String {
        let kept = heading.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
        kept.map(|character| if character == ' ' { '-' } else { character.to_ascii_lowercase() }).collect()
    };
    let mut anchor = |heading| {
        let slug = slug(heading);
        let times = seen.entry(slug.clone()).and_modify(|times| *times += 1).or_default();
        if *times == 0 { slug } else { format!("{slug}-{times}") }
    };
    headings.map(&mut anchor).collect()
}

/// The lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn links_that_lead_nowhere_are_refused() {
        let text = "# A\n[b](b.md) and [c](../../c.md)\n[d](#e)\n\n[label]: docs/x.md\n[f](../README.md#g)";
        let tree = Tree::of([("docs/a.md", text), ("README.md", "# H")]);
        assert_eq!(
            said(check, &tree),
            [
                "docs/a.md:2: the link to b.md leads nowhere: there is no docs/b.md",
                "docs/a.md:2: the link to ../../c.md leads out of the repository",
                "docs/a.md:3: the link to #e leads nowhere: docs/a.md has no such heading",
                "docs/a.md:5: the link to docs/x.md leads nowhere: there is no docs/docs/x.md",
                "docs/a.md:6: the link to ../README.md#g leads nowhere: README.md has no such heading",
            ]
        );
    }

    #[test]
    fn decisions_that_nobody_took_are_refused() {
        let source = "// See ADR 7 and\n// ADR 0008.";
        let tree = Tree::of([("libs/streams/src/lib.rs", source), ("docs/adr/0007-so.md", "")]);
        assert_eq!(said(check, &tree), ["libs/streams/src/lib.rs:2: there is no ADR 0008 in docs/adr"]);
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "# Try it: a `curl`\n[1](../docs/adr) [2](#try-it-a-curl) [3](https://kafka.apache.org/x) [4](/README.md#twice-1)\n\
            ```sh\n[5](nowhere.md)\n# no heading\n```\nand `[6](nowhere.md)`";
        let tree = Tree::of([("docs/a.md", text), ("docs/adr/0001.md", ""), ("README.md", "## Twice\n## Twice")]);
        assert!(said(check, &tree).is_empty());
    }
}
