//! Crates are named like their folders, never published, and take version, lints and dependencies from the workspace.
//!
//! One place says which version of a library the whole tree uses and how strict the compiler is; a name is found by
//! looking at the folders.

use toml::{Table, Value};

use crate::manifest::Manifest;
use crate::{Tree, Violation};

const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    root(tree).into_iter().chain(tree.manifests().flat_map(|manifest| member(&manifest))).collect()
}

fn root(tree: &Tree) -> Vec<Violation> {
    let Some(table) = tree.file("Cargo.toml").and_then(|file| file.text.parse::<Table>().ok()) else {
        return vec![Violation::new("Cargo.toml", 1, "the manifest of the workspace is missing or no TOML")];
    };
    let workspace = table.get("workspace");
    let package = |key| workspace.and_then(|workspace| workspace.get("package")?.get(key));
    let mut violations = Vec::new();
    if package("version").and_then(Value::as_str) != Some("0.0.0") {
        violations.push(Violation::new("Cargo.toml", 1, "[workspace.package] must say `version = \"0.0.0\"`"));
    }
    if package("publish").and_then(Value::as_bool) != Some(false) {
        violations.push(Violation::new("Cargo.toml", 1, "[workspace.package] must say `publish = false`"));
    }
    let dependencies = workspace.and_then(|workspace| workspace.get("dependencies")).and_then(Value::as_table);
    for (name, value) in dependencies.into_iter().flatten() {
        if value.get("package").is_some() {
            let message = format!("{name} must be called by its own name; another one hides who depends on it");
            violations.push(Violation::new("Cargo.toml", 1, message));
        }
    }
    violations
}

fn member(manifest: &Manifest<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut refuse = |line, message: String| violations.push(Violation::new(&manifest.file.path, line, message));
    let package = |key| manifest.table.get("package").and_then(|package| package.get(key));
    let folder = manifest.folder.rsplit('/').next().unwrap_or(manifest.folder);
    if package("name").and_then(Value::as_str) != Some(folder) {
        refuse(manifest.line_of("name", "package"), format!("the crate must be called `{folder}`, like its folder"));
    }
    for key in INHERITED {
        if !package(key).is_some_and(inherited) {
            refuse(manifest.line_of(key, "package"), format!("[package] must say `{key}.workspace = true`"));
        }
    }
    if !manifest.table.get("lints").is_some_and(inherited) {
        refuse(1, "the lints of the workspace must hold here: [lints] with `workspace = true`".to_string());
    }
    for dependency in manifest.dependencies() {
        if !inherited(dependency.value) {
            let name = dependency.name;
            refuse(dependency.line, format!("`{name}.workspace = true`, and its version in the root's Cargo.toml"));
        }
    }
    violations
}

fn inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    const ROOT: (&str, &str) = ("Cargo.toml", "[workspace.package]\nversion = \"0.0.0\"\npublish = false");
    const MEMBER: &str = "[package]\nname = \"fraud\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n[lints]\nworkspace = true\n\
        [dependencies]\nserde = { workspace = true, features = [\"rc\"] }\ntime.workspace = true\n";

    #[test]
    fn a_crate_that_takes_everything_from_the_workspace_passes() {
        assert!(said(check, &Tree::of([ROOT, ("services/fraud/Cargo.toml", MEMBER)])).is_empty());
    }

    #[test]
    fn another_name_than_the_folder_is_refused() {
        let tree = Tree::of([ROOT, ("services/theft/Cargo.toml", MEMBER)]);
        assert_eq!(
            said(check, &tree),
            ["services/theft/Cargo.toml:2: the crate must be called `theft`, like its folder"]
        );
    }

    #[test]
    fn own_versions_own_lints_and_own_dependencies_are_refused() {
        let text = MEMBER
            .replace("version.workspace = true\nedition", "version = \"1.0.0\"\nedition")
            .replace("[lints]\nworkspace = true", "[lints]")
            .replace("time.workspace = true", "time = \"0.3\"");
        let tree = Tree::of([ROOT, ("services/fraud/Cargo.toml", &text)]);
        assert_eq!(
            said(check, &tree),
            [
                "services/fraud/Cargo.toml:3: [package] must say `version.workspace = true`",
                "services/fraud/Cargo.toml:1: the lints of the workspace must hold here: [lints] with `workspace = true`",
                "services/fraud/Cargo.toml:11: `time.workspace = true`, and its version in the root's Cargo.toml",
            ]
        );
    }

    #[test]
    fn a_workspace_that_could_be_published_or_renames_a_library_is_refused() {
        let root = "[workspace.package]\nversion = \"0.1.0\"\n[workspace.dependencies]\nkafka = { package = \"rdkafka\", version = \"1\" }";
        assert_eq!(said(check, &Tree::of([("Cargo.toml", root)])).len(), 3);
    }
}
