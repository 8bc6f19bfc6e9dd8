use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use e2e::{Log, NewOrder, OrdersClient, Topics, violations};
use local::{Builder, Part, Stack};
use shared_schemas::{ORDER_REQUESTS, ORDERS, OrderState, order_validations};
use test_kit::eventually;
use tokio::sync::{Mutex, MutexGuard};

/// A stack of one test, with clients of it.
pub struct Ecosystem {
    pub orders: OrdersClient,
    pub topics: Topics,
    pub stack: Stack,
    /// Given back when the stack is gone.
    _turn: MutexGuard<'static, ()>,
}

/// The services that an order passes through.
pub const SERVICES: [&str; 4] = ["orders", "order-details", "fraud", "inventory"];

/// The checks an order has to pass.
pub const CHECKS: [&str; 3] = ["order-details", "fraud", "inventory"];

/// How long a client repeats one order.
const PLACED_WITHIN: Duration = Duration::from_secs(30);

/// How long all that was journaled may take to be decided once everything runs again.
const DECIDED_WITHIN: Duration = Duration::from_secs(60);

impl Ecosystem {
    /// Starts a stack when no other test has one.
    pub async fn start(builder: Builder) -> anyhow::Result<Self> {
        static TURN: Mutex<()> = Mutex::const_new(());
        let turn = TURN.lock().await;
        let stack = builder.start()?;
        let url = stack.part("orders").url().expect("orders has an HTTP interface");
        let (orders, topics) = (OrdersClient::new(&url)?, Topics::of(&stack.addresses())?);
        Ok(Self { orders, topics, stack, _turn: turn })
    }

    pub fn part(&self, name: &str) -> &Part {
        self.stack.part(name)
    }

    /// All instances of all services.
    pub fn services(&self) -> impl Iterator<Item = &Part> {
        self.stack.parts().iter().filter(|part| part.is_service())
    }

    /// Where the instances of orders are reached.
    pub fn orders_urls(&self) -> Vec<String> {
        self.services().filter(|part| part.service() == Some("orders")).filter_map(Part::url).collect()
    }

    /// Sees an order through, whatever connections the client has lost meanwhile.
    ///
    /// # Panics
    /// If it is not acknowledged, or not validated.
    pub async fn assert_validates(&self, id: &str) -> anyhow::Result<()> {
        self.orders.place_until_acknowledged(&NewOrder::good(id), PLACED_WITHIN).await;
        assert_eq!(self.orders.verdict(id).await?.state, "VALIDATED", "{id}");
        Ok(())
    }

    /// What the topics say now.
    pub async fn log(&self) -> anyhow::Result<Log> {
        let requests = self.topics.values(&ORDER_REQUESTS).await?;
        let mut validations = Vec::new();
        for check in CHECKS {
            validations.extend(self.topics.values(&order_validations(check)).await?);
        }
        Ok(Log {
            requested: requests.into_iter().map(|request| request.order_id).collect(),
            orders: self.topics.values(&ORDERS).await?,
            validations,
        })
    }

    /// Lets the services finish what is journaled.
    pub async fn await_verdicts(&self) {
        // The first check that fails decides an order; the others have their say as well.
        eventually("each check has judged every order in the journal", DECIDED_WITHIN, async || {
            let log = self.log().await.ok()?;
            let decided: BTreeSet<&String> =
                log.orders.iter().filter(|order| order.version > 1).map(|order| &order.id).collect();
            let is_complete = log.validations.len() >= CHECKS.len() * log.requested.len();
            (is_complete && log.requested.iter().all(|id| decided.contains(id))).then_some(())
        })
        .await;
    }

    /// Lets the services finish what is journaled, stops them, and looks through all they have written.
    ///
    /// # Panics
    /// If something in it must not be.
    pub async fn assert_sound(&self, acknowledged: &BTreeMap<String, OrderState>) -> anyhow::Result<()> {
        self.await_verdicts().await;
        for part in self.services() {
            part.stop();
        }
        let log = self.log().await?;
        let found = violations(acknowledged, &CHECKS, &log);
        assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
        for service in SERVICES {
            let dead = self.topics.dead_letters(service)?;
            assert!(dead.is_empty(), "{service} could not handle {dead:?}");
        }
        Ok(())
    }
}

/// The stack takes its logs with it, so that a test which fails shows them first.
impl Drop for Ecosystem {
    fn drop(&mut self) {
        if thread::panicking() {
            for part in self.services() {
                println!("--- the end of the log of {} ---\n{}", part.name(), part.log_tail(60));
            }
        }
    }
}
