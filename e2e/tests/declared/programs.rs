use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// What can be said to a program: flags such as `--instance`, and variables such as `INSTANCE`.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub flags: BTreeSet<String>,
    pub variables: BTreeSet<String>,
}

/// All our programs by name. Those that are no services describe nothing, and are asked for help.
pub fn programs() -> anyhow::Result<BTreeMap<String, Options>> {
    let root = local::workspace();
    let mut programs = BTreeMap::new();
    for folder in fs::read_dir(root.join("services"))? {
        let service = folder?.file_name().to_string_lossy().into_owned();
        programs.insert(service.clone(), described(&said(&service, &["describe"])?)?);
    }
    for step in ["millrace-topics", "millrace-schemas", "millrace-seed", "millrace-seed-customers", "load-tests"] {
        programs.insert(step.to_string(), helped(&said(step, &["--help"])?));
    }
    let local = ["up", "down", "exec"].iter().map(|command| said("local", &[command, "--help"]));
    programs.insert("local".to_string(), helped(&local.collect::<Result<String, _>>()?));
    Ok(programs)
}

fn said(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output =
        Command::new(local::program(program)?).args(arguments).output().with_context(|| program.to_string())?;
    ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn described(json: &str) -> anyhow::Result<Options> {
    #[derive(Deserialize)]
    struct Description {
        options: Vec<Described>,
    }
    #[derive(Deserialize)]
    struct Described {
        flag: String,
        environment: Option<String>,
    }
    let Description { options } = serde_json::from_str(json)?;
    let mut all = Options::default();
    for Described { flag, environment } in options {
        all.flags.insert(flag);
        all.variables.extend(environment);
    }
    Ok(all)
}

fn helped(text: &str) -> Options {
    let word = |rest: &str| -> String {
        rest.chars().take_while(|character| character.is_ascii_alphanumeric() || "-_".contains(*character)).collect()
    };
    Options {
        flags: text.match_indices("--").map(|(at, _)| word(&text[at..])).filter(|flag| flag.len() > 2).collect(),
        variables: text.split("[env: ").skip(1).map(word).collect(),
    }
}
