use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use e2e::{NewOrder, OrdersClient, Witness};
use local::Part;
use shared_schemas::OrderState;
use test_kit::eventually_blocking;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

/// Orders that several clients place at once while something else happens.
///
/// Of every ten one asks for less than nothing, one is placed by two clients at once, and one by a client who does not
/// repeat it when it is not acknowledged.
#[derive(Debug)]
pub struct Load {
    orders: Vec<NewOrder>,
    next: AtomicUsize,
    /// Orders that are acknowledged, or given up by whoever placed them.
    settled: AtomicUsize,
    /// With the verdict that each deserves if stock and spending have no limits.
    acknowledged: Mutex<BTreeMap<String, OrderState>>,
    witness: Arc<Witness>,
}

/// Clients at work. Whoever drops it ends them.
#[derive(Debug)]
pub struct RunningLoad {
    load: Arc<Load>,
    clients: JoinSet<()>,
    /// How many orders may be placed by now.
    allowed: watch::Sender<usize>,
}

const CLIENTS: usize = 16;

/// How long a client repeats an order, and how long anyone waits for the clients to get on: the longest outage and more.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a client waits for one answer before it asks the next instance, if there are several.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);

impl RunningLoad {
    /// Begins to place `count` orders with the one instance of the service.
    pub fn begin(orders: &Part, count: usize) -> anyhow::Result<Self> {
        let url = orders.url().expect("orders has an HTTP interface");
        let running = Self::held((0..count).map(order).collect(), Arc::default(), || OrdersClient::new(&url))?;
        running.allow(count);
        Ok(running)
    }

    /// Makes ready to place orders with all these instances of the service, as many as are [allowed](Self::allow).
    pub fn through(urls: &[String], orders: Vec<NewOrder>, witness: Arc<Witness>) -> anyhow::Result<Self> {
        Self::held(orders, witness, || OrdersClient::of_instances(urls, ANSWERED_WITHIN))
    }

    fn held(
        orders: Vec<NewOrder>,
        witness: Arc<Witness>,
        client: impl Fn() -> anyhow::Result<OrdersClient>,
    ) -> anyhow::Result<Self> {
        let load = Arc::new(Load {
            orders,
            next: AtomicUsize::new(0),
            settled: AtomicUsize::new(0),
            acknowledged: Mutex::default(),
            witness,
        });
        let allowed = watch::Sender::new(0);
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(place(Arc::clone(&load), allowed.subscribe(), client()?, client()?));
        }
        Ok(Self { load, clients, allowed })
    }

    /// Allows so many orders to be placed, counted from the first.
    pub fn allow(&self, count: usize) {
        self.allowed.send_replace(count);
    }

    /// Blocks until so many orders are acknowledged.
    pub fn wait_acknowledged(&self, count: usize) {
        let what = format!("{count} orders are acknowledged");
        eventually_blocking(&what, PATIENCE, || (self.load.acknowledged().len() >= count).then_some(()));
    }

    /// Blocks until so many orders are acknowledged, or given up.
    pub fn wait_settled(&self, count: usize) {
        let what = format!("{count} orders are acknowledged or given up");
        eventually_blocking(&what, PATIENCE, || (self.load.settled.load(Ordering::Relaxed) >= count).then_some(()));
    }

    /// The ids of the latest orders that are acknowledged.
    pub fn latest_acknowledged(&self, count: usize) -> Vec<String> {
        let begun = self.load.next.load(Ordering::Relaxed);
        let acknowledged = self.load.acknowledged();
        (0..begun).rev().map(id).filter(|id| acknowledged.contains_key(id)).take(count).collect()
    }

    /// Waits until all orders are placed; says which were acknowledged, with the verdict each deserves.
    pub async fn end(mut self) -> BTreeMap<String, OrderState> {
        while let Some(client) = self.clients.join_next().await {
            client.expect("no client met an answer it does not understand");
        }
        self.load.acknowledged().clone()
    }
}

impl Load {
    fn acknowledged(&self) -> MutexGuard<'_, BTreeMap<String, OrderState>> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id of the order of that number.
pub fn id(index: usize) -> String {
    format!("order-{index}")
}

/// The order of that number; nobody objects to nine of ten.
pub fn order(index: usize) -> NewOrder {
    let id = id(index);
    if index % 10 == 5 { NewOrder::bad(id) } else { NewOrder::good(id) }
}

async fn place(load: Arc<Load>, mut allowed: watch::Receiver<usize>, one: OrdersClient, other: OrdersClient) {
    let place = async |client: &OrdersClient, order| {
        let placed = load.witness.place(client, order, PATIENCE).await;
        placed.expect("an acknowledgement shows the order");
    };
    loop {
        let index = load.next.fetch_add(1, Ordering::Relaxed);
        let Some(order) = load.orders.get(index) else { return };
        allowed.wait_for(|allowed| index < *allowed).await.expect("whoever allows waits for the end");
        let is_acknowledged = match index % 10 {
            3 => {
                tokio::join!(place(&one, order), place(&other, order));
                true
            }
            7 => one.acknowledgement(order).await.is_some(),
            _ => {
                place(&one, order).await;
                true
            }
        };
        if is_acknowledged {
            let deserved = if order.quantity > 0 { OrderState::Validated } else { OrderState::Failed };
            load.acknowledged().insert(order.id.clone(), deserved);
        }
        load.settled.fetch_add(1, Ordering::Relaxed);
    }
}

/// Asks for the verdict of each order, and waits until all are given.
///
/// # Panics
/// If one is not what the order deserves, or not the second version of it.
pub async fn assert_verdicts(orders: &OrdersClient, deserved: &BTreeMap<String, OrderState>) {
    let mut questions = JoinSet::new();
    for (id, state) in deserved.clone() {
        let orders = orders.clone();
        questions.spawn(async move {
            let document = orders.verdict(&id).await.unwrap_or_else(|error| panic!("{id}: {error:#}"));
            let deserved = format!("{state:?}").to_uppercase();
            assert_eq!((document.state, document.version), (deserved, 2), "{id}");
        });
        if questions.len() >= CLIENTS {
            answered(questions.join_next().await);
        }
    }
    while !questions.is_empty() {
        answered(questions.join_next().await);
    }
}

fn answered(question: Option<Result<(), JoinError>>) {
    question.expect("one was asked").expect("its answer is the right one");
}
