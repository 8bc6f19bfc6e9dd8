//! Every service has a canvas: a `README.md` of at most 40 lines with eight sections, always the same, in one sequence.
//!
//! Whoever knows one service finds their way in all of them. A section is a heading (`## role`) or a bold label at the
//! start of a line (`**role**`, also in a list or table), in any case; one that has nothing to say says "none".

use crate::{File, Tree, Violation};

const SECTIONS: [&str; 8] = ["role", "consumes", "produces", "stores", "HTTP", "options", "how it fails", "try it"];
const LINES: usize = 40;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    tree.services().flat_map(|service| canvas(tree, service)).collect()
}

fn canvas(tree: &Tree, service: &str) -> Vec<Violation> {
    let path = format!("services/{service}/README.md");
    let Some(file) = tree.file(&path) else {
        let message = format!("the service has no canvas; write one with the sections {}", SECTIONS.join(" · "));
        return vec![Violation::new(&path, 1, message)];
    };
    let mut violations = Vec::new();
    let lines = file.text.lines().count();
    if lines > LINES {
        let message =
            format!("the canvas has {lines} lines; more than {LINES} is a document, which belongs into docs/");
        violations.push(Violation::new(&path, LINES + 1, message));
    }
    let labels = labels(file);
    let mut last = (0, "");
    for section in SECTIONS {
        match labels.iter().find(|(_, label)| *label == section.to_lowercase()) {
            None => {
                let message =
                    format!("the section «{section}» is missing: `## {section}` or a line with `**{section}**`");
                violations.push(Violation::new(&path, lines.max(1), message));
            }
            Some((line, _)) if *line < last.0 => {
                let message =
                    format!("«{section}» stands before «{}»; the sequence is {}", last.1, SECTIONS.join(" · "));
                violations.push(Violation::new(&path, *line, message));
            }
            Some((line, _)) => last = (*line, section),
        }
    }
    violations
}

/// Headings and bold labels with their lines, in lower case.
fn labels(file: &File) -> Vec<(usize, String)> {
    let label = |text: &str| {
        let text = text.trim_start_matches(['-', '|', ' ']);
        let heading = text.strip_prefix('#').map(|text| text.trim_start_matches('#'));
        let bold = || Some(text.trim_start_matches("* ").strip_prefix("**")?.split_once("**")?.0);
        Some(heading.or_else(bold)?.trim_matches([' ', ':', '.']).to_lowercase())
    };
    (1..).zip(file.text.lines()).filter_map(|(line, text)| Some((line, label(text)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    const MANIFEST: (&str, &str) = ("services/fraud/Cargo.toml", "");
    const GOOD: &str = "# fraud\n## Role\n- **Consumes**: a\n* **produces:** b\n| **Stores** | c |\n**HTTP** none\n\
        ## Options\n## How it fails\n## Try it\n";

    #[test]
    fn a_service_without_a_canvas_is_refused() {
        assert!(
            said(check, &Tree::of([MANIFEST]))[0].starts_with("services/fraud/README.md:1: the service has no canvas")
        );
    }

    #[test]
    fn a_canvas_with_all_sections_passes() {
        assert!(said(check, &Tree::of([MANIFEST, ("services/fraud/README.md", GOOD)])).is_empty());
    }

    #[test]
    fn a_missing_section_a_wrong_sequence_and_a_long_canvas_are_refused() {
        let text = GOOD.replace("## Options\n", "") + "**options**\n" + &"\n".repeat(40);
        let text = text.replace("## Role", "## Rôle");
        let violations = said(check, &Tree::of([MANIFEST, ("services/fraud/README.md", &text)]));
        assert_eq!(violations.len(), 4, "{violations:#?}");
        assert!(violations[0].contains(":41: the canvas has 49 lines"));
        assert!(violations[1].contains("«role» is missing"));
        assert!(violations[2].contains(":7: «how it fails» stands before «options»"));
        assert!(violations[3].contains(":8: «try it» stands before «options»"));
    }
}
