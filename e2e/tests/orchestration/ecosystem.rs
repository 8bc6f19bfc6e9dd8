use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use e2e::{Gateway, Mailbox, NewOrder, OrderDocument, OrdersClient, Topics};
use local::{Builder, Part, Stack};
use reqwest::StatusCode;
use shared_schemas::{
    CheckResult, OrderValidation, STOCK_MOVEMENTS, StockMoved, StockMovementKind, WAREHOUSE_INVENTORY,
    order_validations,
};
use streams::Timestamp;
use test_kit::{eventually, unique};
use time::OffsetDateTime;
use tokio::sync::{Mutex, MutexGuard};

/// A running stack, as one test sees it.
pub struct Ecosystem {
    pub orders: OrdersClient,
    pub payments: Gateway,
    pub customers: Gateway,
    /// All instances.
    pub views: Vec<Gateway>,
    pub mailbox: Mailbox,
    pub topics: Topics,
}

/// A stack of one test.
pub struct OwnEcosystem {
    pub ecosystem: Ecosystem,
    stack: Stack,
    /// Given back when the stack is gone.
    _turn: MutexGuard<'static, ()>,
}

/// What became of an order, and why if it failed.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    Validated,
    Failed(String),
}

/// What is known of a product; all 0 if nothing is.
#[derive(Debug, PartialEq)]
pub struct Level {
    pub on_hand: i64,
    pub reserved: i64,
    pub version: i32,
}

/// The checks an order has to pass.
pub const CHECKS: [&str; 3] = ["order-details", "fraud", "inventory"];

/// How long anything that will happen may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than orders of past times are old, whose time to be validated would otherwise be over.
const VALIDATION_DEADLINE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The stack of all tests that break nothing. It is never dropped, as no static is: its watchdog ends it with the process.
pub fn shared() -> anyhow::Result<Ecosystem> {
    static STACK: OnceLock<Stack> = OnceLock::new();
    let stack = STACK.get_or_init(|| {
        let deadline = VALIDATION_DEADLINE.as_millis().to_string();
        let builder = Stack::builder().single_instances().also("views-1");
        let builder = builder.env("orders", "VALIDATION_DEADLINE_MS", deadline);
        builder.start().unwrap_or_else(|error| panic!("the stack does not start: {error}"))
    });
    Ecosystem::of(stack)
}

impl Ecosystem {
    fn of(stack: &Stack) -> anyhow::Result<Self> {
        let url = stack.part("orders").url().expect("orders has an HTTP interface");
        let addresses = stack.addresses();
        let gateway = |service| Gateway::instances(&addresses, service)?.pop().context("it has an HTTP interface");
        Ok(Self {
            orders: OrdersClient::new(&url)?,
            payments: gateway("payments")?,
            customers: gateway("customers")?,
            views: Gateway::instances(&addresses, "views")?,
            mailbox: Mailbox::of(&addresses)?,
            topics: Topics::of(&addresses)?,
        })
    }

    /// Places an order, and waits for its verdict.
    ///
    /// # Panics
    /// If it is not created, or the verdict is not its second version with one reason if it failed.
    pub async fn order(&self, order: &NewOrder) -> anyhow::Result<Verdict> {
        let created = self.orders.place(order).await?;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
        self.verdict(&order.id).await
    }

    /// Waits for the verdict on an order.
    ///
    /// # Panics
    /// As [`order`](Self::order).
    pub async fn verdict(&self, id: &str) -> anyhow::Result<Verdict> {
        self.orders.verdict(id).await.map(Verdict::from)
    }

    /// A product that nobody else orders, with so many pieces in the warehouse, which are counted.
    pub async fn product(&self, pieces: i64) -> anyhow::Result<String> {
        let product = unique("product");
        self.receive(&unique("movement"), &product, pieces).await?;
        self.level_becomes(&product, Level { on_hand: pieces, reserved: 0, version: 1 }).await;
        Ok(product)
    }

    /// Says that so many pieces have come to the warehouse, or left it.
    pub async fn receive(&self, movement: &str, product: &str, pieces: i64) -> anyhow::Result<()> {
        let (id, product) = (movement.to_string(), product.to_string());
        let moved = StockMoved { id, product, quantity: pieces, kind: StockMovementKind::Received, occurred_at: now() };
        self.topics.write(&STOCK_MOVEMENTS, moved.occurred_at, &[moved]).await
    }

    /// What is published of a product now.
    pub async fn level(&self, product: &str) -> anyhow::Result<Level> {
        let levels = self.topics.values(&WAREHOUSE_INVENTORY).await?;
        let last = levels.into_iter().rfind(|level| level.product == product);
        Ok(last.map_or(Level { on_hand: 0, reserved: 0, version: 0 }, |level| Level {
            on_hand: level.on_hand,
            reserved: level.reserved,
            version: level.version,
        }))
    }

    /// Waits until the level of a product is this one, which comes after the verdict if an order gives back what it had.
    pub async fn level_becomes(&self, product: &str, expected: Level) {
        eventually(&format!("the level of {product} is {expected:?}"), PATIENCE, async || {
            (self.level(product).await.ok()? == expected).then_some(())
        })
        .await;
    }

    /// The checks that do not pass an order, once all have said what they think of it.
    ///
    /// # Panics
    /// If one has said it twice.
    pub async fn objections(&self, id: &str) -> Vec<&'static str> {
        let mut objections = Vec::new();
        for check in CHECKS {
            let said = eventually(&format!("{check} has judged {id}"), PATIENCE, async || {
                let said = self.said(check, id).await.ok()?;
                (!said.is_empty()).then_some(said)
            })
            .await;
            assert_eq!(said.len(), 1, "{said:?}");
            if said[0].result != CheckResult::Pass {
                objections.push(check);
            }
        }
        objections
    }

    /// What a check has said of an order.
    pub async fn said(&self, check: &str, id: &str) -> anyhow::Result<Vec<OrderValidation>> {
        let mut validations = self.topics.values(&order_validations(check)).await?;
        validations.retain(|validation| validation.order_id == id);
        Ok(validations)
    }
}

impl OwnEcosystem {
    /// Starts a stack when no other test has one of its own.
    pub async fn start(builder: Builder) -> anyhow::Result<Self> {
        static TURN: Mutex<()> = Mutex::const_new(());
        let turn = TURN.lock().await;
        let stack = builder.start()?;
        Ok(Self { ecosystem: Ecosystem::of(&stack)?, stack, _turn: turn })
    }

    pub fn part(&self, name: &str) -> &Part {
        self.stack.part(name)
    }
}

impl From<OrderDocument> for Verdict {
    fn from(order: OrderDocument) -> Self {
        assert_eq!(order.version, 2, "{order:?}");
        match (order.state.as_str(), &order.reasons[..]) {
            ("VALIDATED", []) => Self::Validated,
            ("FAILED", [reason]) => Self::Failed(reason.clone()),
            _ => panic!("this is no verdict: {order:?}"),
        }
    }
}

/// The verdict on an order that failed for this reason.
pub fn failed(reason: &str) -> Verdict {
    Verdict::Failed(reason.to_string())
}

/// An order of its own by a customer of its own, who spends little.
pub fn order_of(product: &str, quantity: i32) -> NewOrder {
    NewOrder { product: product.to_string(), quantity, ..NewOrder::good(unique("order")) }
}

/// An order of one piece at that price, in US dollars.
pub fn priced(product: &str, price: &str) -> anyhow::Result<NewOrder> {
    Ok(NewOrder { price: price.parse()?, ..order_of(product, 1) })
}

/// The event time of what happens now.
pub fn now() -> Timestamp {
    let milliseconds = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    Timestamp(i64::try_from(milliseconds).expect("this is a moment of our time"))
}
