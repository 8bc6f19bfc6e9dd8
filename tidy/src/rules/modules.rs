//! Every source file belongs to a crate: it is the root of one, or the file above it says `mod`.
//!
//! The compiler never looks at a file that nobody declares, so its tests do not run and its lints do not speak, and
//! nothing tells.

use crate::rust::code;
use crate::{File, Tree, Violation};

/// Folders whose own files, and the `main.rs` of whose folders, are crates of their own.
const CRATES_OF: [&str; 4] = ["tests", "examples", "benches", "bin"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust_files().filter_map(|file| orphan(tree, file)).collect()
}

fn orphan(tree: &Tree, file: &File) -> Option<Violation> {
    let (folder, name) = file.path.strip_suffix(".rs")?.rsplit_once('/')?;
    if is_root(folder, name) {
        return None;
    }
    // `a/mod.rs` is the module `a`, declared where `a.rs` would be.
    let (folder, name) = if name == "mod" { folder.rsplit_once('/')? } else { (folder, name) };
    let above =
        [format!("{folder}.rs"), format!("{folder}/mod.rs"), format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
    if above.iter().filter_map(|path| tree.file(path)).any(|parent| declares(parent, name)) {
        return None;
    }
    let message = format!("nobody compiles this file; say `mod {name};` above it, or delete it");
    Some(Violation::new(&file.path, 1, message))
}

fn is_root(folder: &str, name: &str) -> bool {
    let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
    let is_crate_of = |folder: &str| CRATES_OF.contains(&folder);
    match name {
        "lib" | "build" => true,
        "main" => last == "src" || is_crate_of(above.rsplit('/').next().unwrap_or_default()),
        _ => is_crate_of(last),
    }
}

fn declares(parent: &File, name: &str) -> bool {
    let code = code(&parent.text);
    code.windows(3).any(|tokens| tokens[0].is_word("mod") && tokens[1].is_word(name) && tokens[2].is_mark(";"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn the_roots_of_crates_and_what_they_declare_pass() {
        let tree = Tree::of([
            ("libs/heat/src/lib.rs", "mod stove;\npub(crate) mod oven;"),
            ("libs/heat/src/stove.rs", "#[cfg(test)]\nmod tests;"),
            ("libs/heat/src/stove/tests.rs", ""),
            ("libs/heat/src/oven/mod.rs", "mod door;"),
            ("libs/heat/src/oven/door.rs", ""),
            ("libs/heat/src/bin/warm.rs", ""),
            ("libs/heat/tests/it/main.rs", "mod burns;"),
            ("libs/heat/tests/it/burns.rs", ""),
            ("libs/heat/tests/alone.rs", ""),
            ("libs/heat/examples/camp.rs", ""),
        ]);
        assert!(said(check, &tree).is_empty());
    }

    #[test]
    fn a_file_that_nobody_declares_is_refused() {
        let tree = Tree::of([
            ("libs/heat/src/lib.rs", "mod stove { }\n// mod oven;"),
            ("libs/heat/src/stove.rs", ""),
            ("libs/heat/src/oven/mod.rs", ""),
            ("libs/heat/tests/it/main.rs", "mod other;"),
            ("libs/heat/tests/it/burns.rs", ""),
        ]);
        let refused = |path: &str, name: &str| {
            format!("{path}:1: nobody compiles this file; say `mod {name};` above it, or delete it")
        };
        let mut found = said(check, &tree);
        found.sort();
        assert_eq!(
            found,
            [
                refused("libs/heat/src/oven/mod.rs", "oven"),
                refused("libs/heat/src/stove.rs", "stove"),
                refused("libs/heat/tests/it/burns.rs", "burns"),
            ]
        );
    }
}
