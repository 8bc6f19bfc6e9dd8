//! Every question that a dashboard asks has an answer while orders come.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use shared_schemas::ORDERS;
use test_kit::{Broker, RawRecord, eventually};

use crate::flow::Flow;
use crate::prometheus::Prometheus;
use crate::stack::stack;

/// Long enough for the first mail, and for a rate of it.
const ANSWERED_WITHIN: Duration = Duration::from_secs(120);

/// How many services there are.
const SERVICES: usize = 8;

/// What Grafana puts in for `$__rate_interval`: four looks and more.
const RATE_INTERVAL: &str = "20s";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_every_dashboard_returns_data_while_orders_come() -> anyhow::Result<()> {
    let stack = stack();
    let prometheus = Prometheus::of(stack)?;
    prometheus.hurry().await?;
    let _flow = Flow::begin(stack)?;
    Broker::at(&stack.addresses().kafka_bootstrap).write(ORDERS.name(), [RawRecord::new("garbage", "no Avro")])?;

    let mut asked = 0;
    for dashboard in dashboards()? {
        let title = dashboard["title"].as_str().context("a dashboard has a title")?;
        let queries = queries(&dashboard, &prometheus).await?;
        assert!(!queries.is_empty(), "{title} asks nothing");
        for (panel, query) in queries {
            let what = format!("{title}, {panel}: {query} has an answer");
            eventually(&what, ANSWERED_WITHIN, async || {
                let samples = prometheus.query(&query).await.unwrap_or_else(|error| panic!("{error:#}"));
                samples.iter().any(|sample| sample.value().is_finite()).then_some(())
            })
            .await;
            asked += 1;
        }
    }
    println!("{asked} queries have answers");
    Ok(())
}

fn dashboards() -> anyhow::Result<Vec<Value>> {
    let folder = local::workspace().join("deploy/observability/grafana/dashboards");
    let files = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    assert!(files.len() >= 3, "orders, services and Kafka have a dashboard each");
    files.iter().map(|file| Ok(serde_json::from_str(&fs::read_to_string(file.path())?)?)).collect()
}

/// What the panels of a dashboard ask, each with its title, and with all there is for each variable.
async fn queries(dashboard: &Value, prometheus: &Prometheus) -> anyhow::Result<Vec<(String, String)>> {
    let mut variables = vec![("__rate_interval".to_string(), RATE_INTERVAL.to_string())];
    for variable in dashboard["templating"]["list"].as_array().context("a dashboard lists its variables")? {
        let name = variable["name"].as_str().context("a variable has a name")?;
        let query = variable["query"].as_str().context("a variable has a query")?;
        let values = eventually(&format!("{query} finds all services"), ANSWERED_WITHIN, async || {
            let values = label_values(query, prometheus).await.unwrap_or_else(|error| panic!("{error:#}"));
            (values.len() >= SERVICES).then_some(values)
        })
        .await;
        variables.push((name.to_string(), values.join("|")));
    }
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().context("a dashboard has panels")? {
        for target in panel["targets"].as_array().context("a panel has targets")? {
            let expression = target["expr"].as_str().context("a target is an expression")?;
            let put_in = |text: String, (name, value): &(String, String)| text.replace(&format!("${name}"), value);
            let query = variables.iter().fold(expression.to_string(), put_in);
            assert!(!query.contains('$'), "no such variable: {query}");
            queries.push((panel["title"].to_string(), query));
        }
    }
    Ok(queries)
}

/// As Grafana understands `label_values(selector, label)`.
async fn label_values(query: &str, prometheus: &Prometheus) -> anyhow::Result<Vec<String>> {
    let inner = query.strip_prefix("label_values(").and_then(|query| query.strip_suffix(')'));
    let (selector, label) = inner.and_then(|inner| inner.rsplit_once(", ")).context("label_values(selector, label)")?;
    let found = prometheus.query(&format!("group by ({label}) ({selector})")).await?;
    Ok(found.into_iter().filter_map(|sample| sample.metric.get(label).cloned()).collect())
}
