//! Images anew after a change in one service.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use local::{Interrupt, workspace};

use crate::command;
use crate::figures::Figures;
use crate::project::Project;

const CHANGED: &str = "services/fraud/src/main.rs";
const IMAGE: &str = "fraud";
const UNCHANGED_IMAGE: &str = "orders";

/// With images present, from the change to all images being there again.
const MOST_SECONDS: f64 = 60.0;

/// Builds all images of a tree in which one service is another version, and those of this tree again.
pub fn build_another(project: &Project, figures: &mut Figures, interrupt: &Interrupt) -> anyhow::Result<()> {
    let tree = workspace().join("target/another-version");
    copy(&tree, interrupt)?;
    change(&tree.join(CHANGED))?;

    let before = (project.layers(IMAGE)?, project.layers(UNCHANGED_IMAGE)?);
    let build = || project.compose_of(&tree, &["--profile", "load", "build"]);
    figures.timed("all our images after a change in one service", Some(MOST_SECONDS), build)?;
    ensure!(project.layers(IMAGE)? != before.0, "the image of {IMAGE} is that of another version");
    ensure!(project.layers(UNCHANGED_IMAGE)? == before.1, "the image of {UNCHANGED_IMAGE} is another without a change");

    project.build()?;
    ensure!(project.layers(IMAGE)? == before.0, "the image of {IMAGE} is not that of its version");
    fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))
}

/// All but what was built and git's own.
fn copy(tree: &Path, interrupt: &Interrupt) -> anyhow::Result<()> {
    let _ = fs::remove_dir_all(tree);
    fs::create_dir_all(tree).with_context(|| format!("cannot create {}", tree.display()))?;
    let entries = fs::read_dir(workspace()).context("cannot read the tree")?;
    let entries = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    let sources = entries.iter().filter(|path| !path.ends_with("target") && !path.ends_with(".git"));
    command::run(Command::new("cp").arg("--archive").args(sources).arg(tree), interrupt)
}

/// The file keeps its time, as that of another checkout may be older than what was built last: a builder that goes by times
/// does not see the change.
fn change(path: &Path) -> anyhow::Result<()> {
    const MAIN: &str = "fn main() -> ExitCode {";
    let at = || format!("cannot change {}", path.display());
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).with_context(at)?;
    let text = fs::read_to_string(path).with_context(at)?;
    let changed = text.replacen(MAIN, &format!("{MAIN}\n    eprintln!(\"another version\");"), 1);
    ensure!(changed != text, "{} has no `{MAIN}`", path.display());
    fs::write(path, changed).with_context(at)?;
    File::options().write(true).open(path).and_then(|file| file.set_modified(modified)).with_context(at)
}
