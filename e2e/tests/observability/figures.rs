//! What docs/metrics.md says and what running processes say is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use anyhow::Context;
use local::{Part, Stack};
use shared_schemas::ORDERS;
use test_kit::{Broker, RawRecord, eventually};

use crate::flow::Flow;
use crate::stack::stack;

const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// The broker, which is documented as if it were a service.
const BROKER: &str = "kafka";

/// A row of the table.
#[derive(Debug)]
struct Documented {
    name: String,
    kind: String,
    /// Labels besides those that Prometheus puts on everything.
    labels: BTreeSet<String>,
    /// Who tells it.
    tellers: BTreeSet<String>,
    /// It is there only when it has happened.
    is_rare: bool,
}

/// What a process tells: of each metric its kind and its labels.
type Told = BTreeMap<String, (String, BTreeSet<String>)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_of_metrics_and_running_services_say_the_same() -> anyhow::Result<()> {
    let stack = stack();
    let _flow = Flow::begin(stack)?;
    Broker::at(&stack.addresses().kafka_bootstrap).write(ORDERS.name(), [RawRecord::new("garbage", "no Avro")])?;
    let all = stack.parts().iter().filter_map(Part::service).collect();
    let documented = documented(&all)?;
    // Some figures come with what they count.
    let mut before = Vec::new();
    eventually("documented and told metrics are the same", TOLD_WITHIN, async || {
        let found = differences(&documented, &told(stack).await.ok()?);
        if found != before {
            println!("{} differences:\n{}", found.len(), found.join("\n"));
        }
        before = found;
        before.is_empty().then_some(())
    })
    .await;
    Ok(())
}

#[test]
fn a_difference_between_table_and_process_is_found() {
    let row = |line| read_row(line, &BTreeSet::from(["orders", "views"])).expect("it is a row");
    let documented = [
        row("| `ready` | gauge | | all | |"),
        row("| `mails_total` | counter | `cause` | orders | |"),
        row("| `aborts_total` | counter | | views, rarely | |"),
    ];
    let told = |metrics: &[(&str, &str, &[&str])]| -> Told {
        let labels = |labels: &[&str]| labels.iter().map(|label| label.to_string()).collect();
        metrics.iter().map(|(name, kind, of)| (name.to_string(), (kind.to_string(), labels(of)))).collect()
    };
    let orders =
        told(&[("ready", "gauge", &[]), ("mails_total", "gauge", &["cause", "x"]), ("aborts_total", "counter", &[])]);
    let views = told(&[("new", "gauge", &[])]);
    let mut found = differences(&documented, &BTreeMap::from([("orders".into(), orders), ("views".into(), views)]));
    found.sort();
    assert_eq!(
        found,
        [
            "orders tells aborts_total, and docs/metrics.md does not say so",
            "orders tells mails_total as gauge with cause, x, and docs/metrics.md says counter with cause",
            "views does not tell ready, and docs/metrics.md says so",
            "views tells new, and docs/metrics.md does not say so",
        ]
    );
}

fn documented(services: &BTreeSet<&str>) -> anyhow::Result<Vec<Documented>> {
    let text = fs::read_to_string(local::workspace().join("docs/metrics.md"))?;
    let rows: Vec<_> = text.lines().filter_map(|line| read_row(line, services)).collect();
    anyhow::ensure!(!rows.is_empty(), "docs/metrics.md has no table");
    Ok(rows)
}

/// From ``| `name` | kind | `label`, … | who tells it[, rarely] | what it means |``.
fn read_row(line: &str, services: &BTreeSet<&str>) -> Option<Documented> {
    let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
    let [name, kind, labels, tellers, ..] = cells.as_slice() else { return None };
    let words = |cell: &str| -> BTreeSet<String> {
        cell.split(',').map(|word| word.trim().trim_matches('`').to_string()).filter(|word| !word.is_empty()).collect()
    };
    let mut named = words(tellers);
    let is_rare = named.remove("rarely");
    if named.remove("all") {
        named.extend(services.iter().map(|service| service.to_string()));
    }
    if named.remove("all with streams") {
        let with_streams = services.iter().filter(|service| **service != "views");
        named.extend(with_streams.map(|service| service.to_string()));
    }
    Some(Documented {
        name: name.trim_matches('`').to_string(),
        kind: kind.to_string(),
        labels: words(labels),
        tellers: named,
        is_rare,
    })
}

/// What each service tells, and the broker.
async fn told(stack: &Stack) -> anyhow::Result<BTreeMap<String, Told>> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let services = stack.parts().iter().filter_map(|part| Some((part.service()?, part.admin_url()?)));
    let mut told = BTreeMap::new();
    for (service, url) in services {
        let text = http.get(format!("{url}/metrics")).send().await?.error_for_status()?.text().await?;
        told.insert(service.to_string(), read_metrics(&text)?);
    }
    let targets = fs::read_to_string(stack.directory().join("prometheus/targets.yml"))?;
    let broker =
        targets.lines().filter_map(|line| line.strip_prefix("- targets: [\"")?.strip_suffix("\"]")).next_back();
    let url = broker.context("the broker is a target")?;
    let text = http.get(format!("http://{url}/metrics")).send().await?.error_for_status()?.text().await?;
    let mut of_broker = read_metrics(&text)?;
    // The exporter tells more of its process and its JVM than anybody asks for.
    of_broker.retain(|name, _| {
        name.starts_with("kafka_") || ["process_cpu_seconds_total", "jvm_memory_used_bytes"].contains(&&**name)
    });
    told.insert(BROKER.to_string(), of_broker);
    Ok(told)
}

/// Prometheus' text format.
fn read_metrics(text: &str) -> anyhow::Result<Told> {
    let mut told = Told::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').context("a type has a name")?;
            current = name.to_string();
            told.insert(current.clone(), (kind.to_string(), BTreeSet::new()));
        } else if !line.starts_with('#')
            && let Some((_, labels)) = line.split_once('{')
            && let Some((_, known)) = told.get_mut(&current)
        {
            // A value may hold anything but an unescaped quotation mark.
            let names = labels.split("\",").filter_map(|label| label.split_once("=\"")).map(|(name, _)| name);
            known.extend(names.filter(|name| !["le", "quantile"].contains(name)).map(str::to_string));
        }
    }
    Ok(told)
}

fn differences(documented: &[Documented], told: &BTreeMap<String, Told>) -> Vec<String> {
    let mut found = Vec::new();
    for (service, metrics) in told {
        for (name, (kind, labels)) in metrics {
            let row = documented.iter().find(|row| row.name == *name && row.tellers.contains(service));
            let Some(row) = row else {
                found.push(format!("{service} tells {name}, and docs/metrics.md does not say so"));
                continue;
            };
            if row.kind != *kind || row.labels != *labels {
                let list = |labels: &BTreeSet<String>| labels.iter().cloned().collect::<Vec<_>>().join(", ");
                let (says, said) = (list(labels), list(&row.labels));
                found.push(format!(
                    "{service} tells {name} as {kind} with {says}, and docs/metrics.md says {} with {said}",
                    row.kind
                ));
            }
        }
        let missing = documented.iter().filter(|row| row.tellers.contains(service) && !row.is_rare);
        for row in missing.filter(|row| !metrics.contains_key(&row.name)) {
            found.push(format!("{service} does not tell {}, and docs/metrics.md says so", row.name));
        }
    }
    found
}
