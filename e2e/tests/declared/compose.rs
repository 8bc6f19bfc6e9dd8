use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;

use anyhow::Context;

use crate::programs::{Options, programs};

const COMPOSE: &str = "deploy/compose.yaml";

/// What a stanza says of one container.
#[derive(Debug, Default, PartialEq)]
struct Container {
    name: String,
    /// Which of our programs it runs, if it does.
    program: Option<String>,
    /// Of its own.
    variables: BTreeSet<String>,
    /// Of blocks that several share, each of which need not know all of them.
    inherited: BTreeSet<String>,
}

#[test]
fn every_variable_of_every_container_is_an_option_of_its_program() -> anyhow::Result<()> {
    let path = local::workspace().join(COMPOSE);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        text => text.with_context(|| path.display().to_string())?,
    };
    let (containers, programs) = (containers(&text), programs()?);
    let run = containers.iter().filter_map(|container| container.program.as_ref());
    assert!(run.collect::<BTreeSet<_>>().len() >= 8, "compose runs all services: {containers:#?}");
    let found = unknown(&containers, &programs);
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

#[test]
fn a_variable_that_is_no_option_is_found_wherever_it_is_inherited_from() {
    let text = "\
x-connections: &connections
  KAFKA_BOOTSTRAP: kafka:19092
x-called: &called
  <<: *connections
  HTTP_CORS_ORIGIN: http://127.0.0.1
services:
  kafka:
    image: ${KAFKA_IMAGE}
    environment:
      KAFKA_NODE_ID: 1
  orders:
    image: ${IMAGE_PREFIX}orders:${IMAGE_TAG}
    environment:
      <<: *called
      INSTANCES: 0
    ports: [\"8080\"]
  topics:
    image: ${IMAGE_PREFIX}millrace-topics:${IMAGE_TAG}
    environment: *connections
";
    let options = |variables: &[&str]| Options {
        variables: variables.iter().map(|name| name.to_string()).collect(),
        ..Options::default()
    };
    let programs = BTreeMap::from([
        ("orders".to_string(), options(&["KAFKA_BOOTSTRAP", "INSTANCE", "HTTP_CORS_ORIGINS"])),
        ("millrace-topics".to_string(), options(&["KAFKA_BOOTSTRAP"])),
    ]);
    let found = unknown(&containers(text), &programs);
    assert_eq!(
        found,
        [
            "deploy/compose.yaml, orders: orders has no option INSTANCES",
            "deploy/compose.yaml, orders: no program has the option HTTP_CORS_ORIGIN",
        ]
    );
    let renamed = text.replace("millrace-topics", "millrace-topic");
    assert_eq!(
        unknown(&containers(&renamed), &programs)[2..],
        ["deploy/compose.yaml, topics: there is no program millrace-topic"]
    );
}

fn unknown(containers: &[Container], programs: &BTreeMap<String, Options>) -> Vec<String> {
    let mut found = Vec::new();
    for Container { name, program, variables, inherited } in containers {
        let Some(program) = program else { continue };
        let Some(options) = programs.get(program) else {
            found.push(format!("{COMPOSE}, {name}: there is no program {program}"));
            continue;
        };
        for variable in variables.difference(&options.variables) {
            found.push(format!("{COMPOSE}, {name}: {program} has no option {variable}"));
        }
        for variable in inherited.iter().filter(|name| !programs.values().any(|it| it.variables.contains(*name))) {
            found.push(format!("{COMPOSE}, {name}: no program has the option {variable}"));
        }
    }
    found
}

/// Reads what it needs of the file, line by line: stanzas by their indentation, and what they inherit by name.
fn containers(text: &str) -> Vec<Container> {
    let mut inherited: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut containers: Vec<Container> = Vec::new();
    // The block of variables that is being read: how far it is indented, and its name if it is there to be inherited.
    let mut block: Option<(usize, Option<&str>)> = None;
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        let (key, value) = line.trim().split_once(':').map_or((line.trim(), ""), |(key, value)| (key, value.trim()));
        if block.is_some_and(|(outer, _)| indent <= outer) {
            block = None;
        }
        if let Some((_, name)) = block {
            let others =
                value.strip_prefix('*').filter(|_| key == "<<").and_then(|other| inherited.get(other).cloned());
            let own = is_variable(key).then(|| key.to_string());
            match (name, containers.last_mut()) {
                (Some(name), _) => inherited.entry(name).or_default().extend(others.into_iter().flatten().chain(own)),
                (None, Some(container)) => {
                    container.inherited.extend(others.into_iter().flatten());
                    container.variables.extend(own);
                }
                (None, None) => {}
            }
        } else if let Some(name) = value.strip_prefix('&').filter(|_| indent == 0) {
            block = Some((indent, Some(name)));
        } else if indent == 2 && value.is_empty() {
            containers.push(Container { name: key.to_string(), ..Container::default() });
        } else if let Some(container) = containers.last_mut() {
            match key {
                "image" => container.program = program(value),
                "environment" => match value.strip_prefix('*') {
                    Some(other) => container.inherited.extend(inherited.get(other).cloned().unwrap_or_default()),
                    None => block = Some((indent, None)),
                },
                _ => {}
            }
        }
    }
    containers
}

fn is_variable(key: &str) -> bool {
    key.chars().all(|character| character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_')
}

/// `orders` of `${IMAGE_PREFIX}orders:${IMAGE_TAG}`.
fn program(image: &str) -> Option<String> {
    let (name, _) = image.strip_prefix("${IMAGE_PREFIX}")?.split_once(':')?;
    Some(name.to_string())
}
