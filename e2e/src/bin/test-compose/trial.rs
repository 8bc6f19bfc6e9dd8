use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use e2e::{ANSWERED_WITHIN, Log, NewOrder, OrdersClient, Topics, violations};
use local::{Addresses, Interrupt, workspace};
use serde_json::json;
use shared_schemas::{ORDER_REQUESTS, ORDERS, OrderState, order_validations};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::command;
use crate::figures::Figures;
use crate::project::Project;

/// The ecosystem in containers, and what is asked of it.
pub struct Trial<'a> {
    project: &'a Project,
    interrupt: Interrupt,
    figures: &'a mut Figures,
    runtime: Runtime,
    addresses: Addresses,
    orders: OrdersClient,
    /// The orders that were placed here and acknowledged, with the verdict that each deserves.
    acknowledged: BTreeMap<String, OrderState>,
}

/// From the command that starts everything to the first verdict, with images present.
const MOST_SECONDS_TO_FIRST_ORDER: f64 = 60.0;

/// All containers of the core together, at ten orders a second.
const MOST_MEBIBYTES: f64 = 1536.0;

/// How long a client repeats an order: the longest outage and more.
const PLACED_WITHIN: Duration = Duration::from_secs(120);

/// By when a container that crashed is healthy again.
const HEALTHY_WITHIN: Duration = Duration::from_secs(90);

/// Placed while the broker is away: as many as come in three seconds.
const ORDERS_IN_OUTAGE: usize = 60;

/// The checks an order has to pass.
const CHECKS: [&str; 3] = ["order-details", "fraud", "inventory"];

impl<'a> Trial<'a> {
    /// Everything but the containers.
    pub fn new(project: &'a Project, interrupt: Interrupt, figures: &'a mut Figures) -> anyhow::Result<Self> {
        let addresses = project.addresses()?;
        let instances = addresses.services.iter().filter(|instance| instance.service == "orders");
        let urls: Vec<String> = instances.filter_map(|instance| instance.url.clone()).collect();
        let orders = OrdersClient::of_instances(&urls, ANSWERED_WITHIN)?;
        let (runtime, acknowledged) = (Runtime::new()?, BTreeMap::new());
        Ok(Self { project, interrupt, figures, runtime, addresses, orders, acknowledged })
    }

    /// Brings everything up; the first order is validated.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        self.figures.timed("up --wait", None, || self.project.compose(&["up", "--detach", "--wait"]))?;
        self.validates("first")?;
        let (elapsed, bar) = (began.elapsed().as_secs_f64(), MOST_SECONDS_TO_FIRST_ORDER);
        self.figures.note("from `up --wait` to the first VALIDATED order", elapsed, "s", Some(bar));
        Ok(())
    }

    /// No container has rights that it does not need, and none is reached from other machines.
    pub fn confined(&self) -> anyhow::Result<()> {
        let prefix = self.project.setting("IMAGE_PREFIX")?;
        for container in self.project.containers()? {
            let (service, description) = (&container.service, &container.description);
            let (config, host) = (&description["Config"], &description["HostConfig"]);
            let user = config["User"].as_str().unwrap_or_default();
            ensure!(!["", "0", "root"].contains(&user), "{service} runs as root");
            ensure!(host["CapDrop"] == json!(["ALL"]), "{service} keeps capabilities: {}", host["CapDrop"]);
            ensure!(host["SecurityOpt"] == json!(["no-new-privileges:true"]), "{service}: {}", host["SecurityOpt"]);
            ensure!(host["Memory"].as_u64().is_some_and(|bytes| bytes > 0), "{service} may take all memory");
            ensure!(!host["LogConfig"]["Config"]["max-size"].is_null(), "{service} may fill the disk with its log");
            let is_ours = config["Image"].as_str().is_some_and(|image| image.starts_with(prefix));
            ensure!(!is_ours || host["ReadonlyRootfs"] == true, "{service} may write into its image");
            let bindings = host["PortBindings"].as_object().into_iter().flatten();
            for binding in bindings.filter_map(|(_, bindings)| bindings.as_array()).flatten() {
                ensure!(binding["HostIp"] == "127.0.0.1", "{service} is open to other machines: {binding}");
            }
        }
        Ok(())
    }

    /// The journeys of the end-to-end tests, on this ecosystem.
    pub fn journeys(&mut self) -> anyhow::Result<()> {
        let file = workspace().join("target/compose.env");
        fs::write(&file, self.addresses.as_shell()).with_context(|| format!("cannot write {}", file.display()))?;
        let mut cargo = cargo();
        cargo.args(["test", "--workspace", "--test=journeys"]).env("MILLRACE_ECOSYSTEM", &file);
        let passed = self.figures.timed("the journeys", None, || command::run(&mut cargo, &self.interrupt));
        fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        passed
    }

    /// How much memory all containers take together at ten orders a second, at most.
    pub fn memory(&mut self) -> anyhow::Result<()> {
        let (most, by_container) = thread::scope(|scope| {
            let load = scope.spawn(|| self.project.compose(&["run", "--rm", "--no-deps", "-T", "load"]));
            let mut most = (0.0, BTreeMap::new());
            while !load.is_finished() {
                let now = self.memory_now()?;
                let sum: f64 = now.values().sum();
                most = if sum > most.0 { (sum, now) } else { most };
            }
            load.join().map_err(|_| anyhow::Error::msg("the load panicked"))??;
            anyhow::Ok(most)
        })?;
        for (container, mebibytes) in by_container {
            self.figures.note(&format!("memory of {container}"), mebibytes, "MiB", None);
        }
        self.figures.note("memory of all at 10 orders/s", most, "MiB", Some(MOST_MEBIBYTES));
        Ok(())
    }

    /// In mebibytes, by service, without the load itself.
    fn memory_now(&self) -> anyhow::Result<BTreeMap<String, f64>> {
        let running = self.project.told(&["ps", "--format", "{{.Service}} {{.ID}}"])?;
        let running: Vec<(&str, &str)> = running.lines().filter_map(|line| line.split_once(' ')).collect();
        let core = running.iter().filter(|(service, _)| *service != "load");
        let ids: Vec<&str> = core.clone().map(|(_, id)| *id).collect();
        let format = ["stats", "--no-stream", "--format", "{{.MemUsage}}"];
        let told = self.project.docker(&[&format[..], &ids].concat())?;
        core.zip(told.lines()).map(|((service, _), line)| Ok((service.to_string(), mebibytes(line)?))).collect()
    }

    /// An instance that is asked to stop does so in good order, as the first process of its container; meanwhile the other one
    /// answers.
    pub fn stop_in_good_order(&mut self) -> anyhow::Result<()> {
        self.project.compose(&["stop", "orders-1"])?;
        let state = self.project.container("orders-1")?.description["State"]["ExitCode"].clone();
        ensure!(state == 0, "orders-1 has stopped with exit code {state}");
        self.project.compose(&["up", "--detach", "--wait", "orders-1"])?;
        self.validates("after-a-stop")
    }

    /// A service that crashes comes back by itself, and goes on.
    pub fn crash_of_a_service(&mut self) -> anyhow::Result<()> {
        let took = self.project.crash("inventory", HEALTHY_WITHIN)?;
        self.figures.note("inventory killed and healthy again", took.as_secs_f64(), "s", None);
        self.validates("after-a-crash")
    }

    /// The broker crashes while orders are placed; clients repeat what is not acknowledged, as they are told to.
    pub fn crash_of_the_broker(&mut self) -> anyhow::Result<()> {
        let (orders, acknowledged) = (self.orders.clone(), &mut self.acknowledged);
        let placed = self.runtime.spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(50));
            let mut clients = JoinSet::new();
            for number in 0..ORDERS_IN_OUTAGE {
                pace.tick().await;
                let (orders, order) = (orders.clone(), NewOrder::good(format!("compose-outage-{number}")));
                clients.spawn(async move {
                    orders.place_until_acknowledged(&order, PLACED_WITHIN).await;
                    order.id
                });
            }
            clients.join_all().await
        });
        let took = self.project.crash("kafka", HEALTHY_WITHIN)?;
        self.figures.note("kafka killed and healthy again", took.as_secs_f64(), "s", None);
        let placed = self.runtime.block_on(placed).context("an order was not placed")?;
        acknowledged.extend(placed.into_iter().map(|id| (id, OrderState::Validated)));
        self.validates("after-an-outage")
    }

    /// Every order that was acknowledged has the verdict it deserves, and nothing happened twice.
    pub fn nothing_lost(&mut self) -> anyhow::Result<()> {
        let topics = Topics::of(&self.addresses)?;
        let log = self.runtime.block_on(async {
            for id in self.acknowledged.keys() {
                self.orders.verdict(id).await?;
            }
            log(&topics).await
        })?;
        let found = violations(&self.acknowledged, &CHECKS, &log);
        ensure!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
        let count = self.acknowledged.len() as f64;
        self.figures.note("orders placed around crashes, none lost or decided twice", count, "orders", None);
        Ok(())
    }

    /// Sees an order through.
    fn validates(&mut self, name: &str) -> anyhow::Result<()> {
        let order = NewOrder::good(format!("compose-{name}"));
        let verdict = self.runtime.block_on(async {
            self.orders.place_until_acknowledged(&order, PLACED_WITHIN).await;
            self.orders.verdict(&order.id).await
        })?;
        ensure!(verdict.state == "VALIDATED", "{} is {}", verdict.id, verdict.state);
        self.acknowledged.insert(order.id, OrderState::Validated);
        Ok(())
    }
}

/// What the topics say of the orders that were placed here.
async fn log(topics: &Topics) -> anyhow::Result<Log> {
    let is_ours = |id: &String| id.starts_with("compose-");
    let requests = topics.values(&ORDER_REQUESTS).await?;
    let mut validations = Vec::new();
    for check in CHECKS {
        validations.extend(topics.values(&order_validations(check)).await?);
    }
    validations.retain(|validation| is_ours(&validation.order_id));
    let mut orders = topics.values(&ORDERS).await?;
    orders.retain(|order| is_ours(&order.id));
    Ok(Log {
        requested: requests.into_iter().map(|request| request.order_id).filter(is_ours).collect(),
        orders,
        validations,
    })
}

/// Of `123.4MiB / 1GiB`.
fn mebibytes(usage: &str) -> anyhow::Result<f64> {
    let used = usage.split(" / ").next().unwrap_or_default().trim();
    let digits = used.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor = match &used[digits.len()..] {
        "GiB" => 1024.0,
        "MiB" => 1.0,
        "KiB" => 1.0 / 1024.0,
        _ => 0.0,
    };
    let value: f64 = digits.parse().with_context(|| format!("`{usage}` is no use of memory"))?;
    Ok(value * factor)
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(workspace());
    cargo
}
