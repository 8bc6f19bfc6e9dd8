use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::programs::{Options, programs};

/// Those of every program.
const OF_ALL: [&str; 2] = ["--help", "--version"];

#[test]
fn every_option_that_a_document_names_is_one() -> anyhow::Result<()> {
    let programs = programs()?;
    let root = local::workspace();
    let mut documents = Vec::new();
    for folder in ["docs", "services", "deploy", "libs", "k8s"] {
        find(&root.join(folder), &mut documents)?;
    }
    documents.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root.join(name)));
    let mut found = Vec::new();
    for path in documents.into_iter().filter(|path| path.exists()) {
        let name = path.strip_prefix(&root)?.display().to_string();
        found.extend(unknown(&name, &fs::read_to_string(&path)?, &programs));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

#[test]
fn an_option_that_there_is_not_is_found() {
    let options = |flag: &str| Options { flags: BTreeSet::from([flag.to_string()]), ..Options::default() };
    let programs =
        BTreeMap::from([("fraud".to_string(), options("--limit")), ("orders".to_string(), options("--checks"))]);
    let text = "**options** `--limit` (2000), `--check`\nand `--checks=a`, see `fraud --help`; `--help`";
    assert_eq!(
        unknown("services/fraud/README.md", text, &programs),
        [
            "services/fraud/README.md:1: fraud has no option --check",
            "services/fraud/README.md:2: fraud has no option --checks"
        ]
    );
    assert_eq!(unknown("docs/testing.md", text, &programs), ["docs/testing.md:1: no program has the option --check"]);
}

/// What stands in backticks and begins like a flag: in what a service says of itself, one of its own.
fn unknown(path: &str, text: &str, programs: &BTreeMap<String, Options>) -> Vec<String> {
    let service = path.strip_prefix("services/").and_then(|rest| rest.split_once('/')).map(|(service, _)| service);
    let own = service.and_then(|service| Some((service, programs.get(service)?)));
    let mut found = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        for span in text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("--")) {
            let flag = span.split(|end: char| end != '-' && !end.is_ascii_alphanumeric()).next().unwrap_or(span);
            let is_known = |options: &Options| options.flags.contains(flag) || OF_ALL.contains(&flag);
            match own {
                Some((service, options)) if !is_known(options) => {
                    found.push(format!("{path}:{line}: {service} has no option {flag}"));
                }
                None if !programs.values().any(is_known) => {
                    found.push(format!("{path}:{line}: no program has the option {flag}"));
                }
                _ => {}
            }
        }
    }
    found
}

fn find(folder: &Path, documents: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, documents)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            documents.push(path);
        }
    }
    Ok(())
}
