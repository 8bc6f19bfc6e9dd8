use anyhow::Context;
use local::{Interrupt, Part, Stack};
use streams::{Cleanup, TopicDeclaration, Visibility};
use streams_kafka::{Settings, create_topics};

use crate::bare::{self, Chain};
use crate::latencies::Latencies;
use crate::pace::Pace;
use crate::prometheus::Metrics;
use crate::report::{Figure, Outcome, Report, doing};
use crate::shop::Shop;

/// How many instances of each service there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instances {
    One,
    /// As in a demo. Customers go to both in turn.
    Two,
}

/// Services that have scenarios of their own, and are not started where they are not what is measured.
const LEFT_OUT: [&str; 2] = ["email", "views"];

/// The checks beside order-details.
const FURTHER_CHECKS: [&str; 2] = ["fraud", "inventory"];

/// What orders asks for before it gives a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// Only order-details, so that three hops lie between an order and its verdict; the other checks are not started.
    One,
    /// As in a demo.
    All,
}

/// What the scenarios stand on: a stack of their own, warmed up, on an otherwise quiet machine.
pub(crate) struct Ground {
    pub(crate) stack: Stack,
    pub(crate) shop: Shop,
    pub(crate) bootstrap: String,
    pub(crate) interrupt: Interrupt,
    /// Orders and bare hops before anything is counted: the first of each are slow.
    warm_up: Pace,
    checks: Checks,
}

impl Ground {
    /// Starts the stack and warms its broker up with so many transactions.
    pub(crate) fn prepare(
        interrupt: Interrupt,
        transactions: u32,
        checks: Checks,
        instances: Instances,
    ) -> anyhow::Result<Self> {
        Self::prepare_with(interrupt, transactions, checks, instances, &[])
    }

    /// The same with these environment variables for each service.
    pub(crate) fn prepare_with(
        interrupt: Interrupt,
        transactions: u32,
        checks: Checks,
        instances: Instances,
        environment: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let (mut builder, slots): (_, &[_]) = match instances {
            Instances::One => (Stack::builder().single_instances(), &["orders"]),
            Instances::Two => (Stack::builder(), &["orders", "orders-1"]),
        };
        for service in LEFT_OUT {
            builder = builder.without_service(service);
        }
        if checks == Checks::One {
            for check in FURTHER_CHECKS {
                builder = builder.without_service(check);
            }
            for orders in slots {
                builder = builder.env(orders, "REQUIRED_CHECKS", "order-details");
            }
        }
        for service in ["orders", "order-details", "fraud", "inventory", "payments", "customers"] {
            for (name, value) in environment {
                builder = builder.env(service, name, value);
            }
        }
        let stack = doing("the stack is up", || Ok(builder.interrupt(interrupt.clone()).start()?))?;
        let addresses = stack.addresses();
        let bootstrap = addresses.kafka_bootstrap;
        let orders = addresses.services.into_iter().filter(|instance| instance.service == "orders");
        let shop = Shop::at(orders.filter_map(|instance| instance.url).collect())?;
        let warm_up = Pace { per_second: 100, starts: 300 };
        let ground = Self { stack, shop, bootstrap, interrupt, warm_up, checks };
        ground.create_topics(&["warm-up".to_string()], 1)?;
        doing(&format!("the broker is warm after {transactions} transactions"), || {
            Ok(bare::transactions(&ground.bootstrap, "warm-up", transactions)?)
        })?;
        if checks == Checks::All {
            // They take so many ways through the broker that its compiler would be busy during the measurements.
            let orders = Pace { per_second: 200, starts: transactions };
            doing(&format!("and after {transactions} orders"), || ground.order(orders, "warm-up").map(drop))?;
        }
        Ok(ground)
    }

    /// Creates topics for what is measured beside the services.
    pub(crate) fn create_topics(&self, names: &[String], partitions: i32) -> anyhow::Result<()> {
        let declaration = |name: &String| TopicDeclaration {
            name: name.clone(),
            partitions,
            cleanup: Cleanup::Forever,
            writer: "load-tests".to_string(),
            visibility: Visibility::Private,
            schema: Some("\"bytes\"".to_string()),
        };
        let topics: Vec<TopicDeclaration> = names.iter().map(declaration).collect();
        create_topics(&self.settings(), &topics)?;
        Ok(())
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::new(&self.bootstrap, "load-tests")
    }

    /// As many bare hops as lie between an order and its verdict, warmed up. `name` names their topics.
    pub(crate) fn bare_hops(&self, name: &str) -> anyhow::Result<Chain> {
        let hops = match self.checks {
            // It is created, checked, and the verdict given.
            Checks::One => 3,
            // Before it is checked, it is sent to where its customer or product is known.
            Checks::All => 4,
        };
        let topics: Vec<String> = (0..=hops).map(|number| format!("{name}-{number}")).collect();
        self.create_topics(&topics, 1)?;
        let mut chain = Chain::start(&self.bootstrap, &topics)?;
        chain.send(self.warm_up, &self.interrupt)?;
        Ok(chain)
    }

    /// Places orders that do not count.
    pub(crate) fn warm_up_orders(&self, name: &str) -> anyhow::Result<()> {
        self.order(self.warm_up, &format!("{name}-warm-up")).map(drop)
    }

    /// Places orders in an open loop and measures them.
    pub(crate) fn order(&self, pace: Pace, label: &str) -> anyhow::Result<Latencies> {
        self.shop.order(pace, label, &self.interrupt)
    }

    /// The names of all instances of all services that run.
    pub(crate) fn instances(&self) -> Vec<&'static str> {
        let is_check = |service| self.checks == Checks::One && FURTHER_CHECKS.contains(&service);
        let is_left_out = |service| LEFT_OUT.contains(&service) || is_check(service);
        let runs = |part: &&Part| part.service().is_some_and(|service| !is_left_out(service));
        self.stack.parts().iter().filter(runs).map(|part| part.name()).collect()
    }

    /// The instance of a service in a slot.
    pub(crate) fn instance(&self, service: &str, slot: usize) -> &Part {
        self.stack.part(&if slot == 0 { service.to_string() } else { format!("{service}-{slot}") })
    }

    /// Process id of a part.
    pub(crate) fn pid(&self, part: &str) -> anyhow::Result<u32> {
        self.stack
            .part(part)
            .pid()
            .with_context(|| format!("{part} has ended:\n{}", self.stack.part(part).log_tail(20)))
    }

    /// What orders tells about itself.
    pub(crate) fn metrics_of_orders(&self) -> anyhow::Result<Metrics> {
        self.metrics_of("orders")
    }

    /// What an instance of a service tells about itself.
    pub(crate) fn metrics_of(&self, part: &str) -> anyhow::Result<Metrics> {
        let admin_url = self.stack.part(part).admin_url().context("every service has an admin port")?;
        self.shop.runtime.block_on(Metrics::fetch(&self.shop.client, &admin_url))
    }

    /// What must not happen on healthy ground.
    pub(crate) fn report_health(&self, report: &mut Report) -> anyhow::Result<()> {
        let metrics = self.metrics_of_orders()?;
        let rebuilds = metrics.counter("streams_producer_rebuilds_total");
        let aborts = metrics.counter("streams_aborts_total");
        report.add(Figure {
            what: "producers rebuilt, epochs aborted (orders)".to_string(),
            bar: "0, 0".to_string(),
            value: format!("{rebuilds}, {aborts}"),
            beside: String::new(),
            outcome: Outcome::of(rebuilds + aborts == 0.0),
        });
        Ok(())
    }
}
