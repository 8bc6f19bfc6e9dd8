//! No file holds what belongs to one machine or one moment: absolute paths of a home, addresses of package registries,
//! notes on what is still to be done.
//!
//! A path works for its author alone. Where packages come from is the business of whoever builds (a mirror, a proxy, a
//! cache), set in their tools and not here; `Cargo.lock` names its source by design. What is to be done belongs into an
//! issue, where somebody finds it.

use crate::{Tree, Violation};

const EXEMPT: [&str; 2] = ["Cargo.lock", "tidy/src/rules/traces.rs"];

const NOTES: [&str; 4] = ["FIXME", "HACK", "TODO", "XXX"];

/// Folders that belong to one machine; `*` stands for somebody's name.
const PLACES: [&str; 4] = ["/Users/*/", "/home/*/", "/root/", "/work/"];

const REGISTRIES: [&str; 15] = [
    "crates.io-index",
    "files.pythonhosted.org",
    "index.crates.io",
    "oss.sonatype.org",
    "proxy.golang.org",
    "pypi.org/simple",
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "repo.maven.apache.org",
    "repo1.maven.org",
    "search.maven.org",
    "snapshot.debian.org",
    "deb.debian.org",
    "archive.ubuntu.com",
    "static.crates.io",
];

/// Words in the name of a host that stands in for a registry.
const STAND_INS: [&str; 4] = ["artifactory", "mirror", "nexus", "proxy"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files().filter(|file| !EXEMPT.contains(&file.path.as_str())) {
        for (line, text) in (1..).zip(file.text.lines()) {
            let messages = [
                NOTES.iter().find(|note| has_word(text, note)).map(|note| format!("{note}: do it, or open an issue")),
                PLACES
                    .iter()
                    .find(|place| has_place(text, place))
                    .map(|place| format!("{place} is a folder of one machine; make the path relative")),
                registry(text)
                    .map(|host| format!("{host} is where one machine gets its packages; leave it to the tool")),
            ];
            violations.extend(messages.into_iter().flatten().map(|message| Violation::new(&file.path, line, message)));
        }
    }
    violations
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|character: char| !character.is_alphanumeric()).any(|it| it == word)
}

fn has_place(text: &str, place: &str) -> bool {
    let (start, end) = place.split_once('*').unwrap_or((place, ""));
    text.match_indices(start).any(|(at, _)| {
        let after = &text[at + start.len()..];
        let name = after
            .find(|character: char| !character.is_alphanumeric() && !"._-".contains(character))
            .unwrap_or(after.len());
        // In the middle of a path or an address it is a folder of that name, somewhere.
        let begins = !text[..at].ends_with(|before: char| before.is_alphanumeric() || "._-~})*".contains(before));
        begins && (end.is_empty() || name > 0 && after[name..].starts_with(end))
    })
}

fn registry(text: &str) -> Option<&str> {
    let known = REGISTRIES.into_iter().find(|host| text.contains(host));
    known.or_else(|| {
        let hosts = text
            .match_indices("://")
            .filter_map(|(at, scheme)| text[at + scheme.len()..].split(['/', '"', ' ']).next());
        hosts.into_iter().find(|host| host.split(['.', '-', ':']).any(|word| STAND_INS.contains(&word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    fn refuses(text: &str) -> bool {
        !said(check, &Tree::of([("docs/running.md", text)])).is_empty()
    }

    #[test]
    fn notes_to_oneself_are_refused() {
        let tree = Tree::of([("Makefile", "all:\n\t# TODO: more")]);
        assert_eq!(said(check, &tree), ["Makefile:2: TODO: do it, or open an issue"]);
        assert!(refuses("FIXME") && !refuses("TODOS PREFIXME todo!()"));
    }

    #[test]
    fn folders_of_one_machine_are_refused() {
        assert!(
            refuses("cd /work/project")
                && refuses("\"/root/.cargo\"")
                && refuses("see /home/ben/x")
                && refuses("(/Users/ben/x)")
        );
        assert!(!refuses(
            "target/work/kafka ~/work/x $HOME/.cache https://host.example/work/ /home/<name>/ network/root/"
        ));
    }

    #[test]
    fn addresses_of_registries_are_refused() {
        assert!(refuses("https://repo1.maven.org/maven2") && refuses("index = \"sparse+https://index.crates.io/\""));
        assert!(refuses("http://proxy:3128") && refuses("https://nexus.corp.example/repository"));
        assert!(!refuses("https://kafka.apache.org/documentation https://docs.rs/tower-proxy"));
    }

    #[test]
    fn the_lock_file_names_its_source() {
        assert!(
            said(check, &Tree::of([("Cargo.lock", "registry+https://github.com/rust-lang/crates.io-index")]))
                .is_empty()
        );
    }
}
