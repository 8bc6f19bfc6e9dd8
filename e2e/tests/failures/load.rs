use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use e2e::{NewOrder, OrdersClient};
use local::Part;
use shared_schemas::OrderState;
use test_kit::eventually_blocking;
use tokio::task::{JoinError, JoinSet};

/// Orders that several clients place at once while something else happens.
///
/// Of every ten one deserves to fail, one is placed by two clients at once, and one by a client who does not repeat it
/// when it is not acknowledged.
#[derive(Debug)]
pub struct Load {
    orders: Vec<NewOrder>,
    next: AtomicUsize,
    acknowledged: Mutex<BTreeMap<String, OrderState>>,
}

/// Clients at work. Whoever drops it ends them.
#[derive(Debug)]
pub struct RunningLoad {
    load: Arc<Load>,
    clients: JoinSet<()>,
}

const CLIENTS: usize = 16;

/// How long a client repeats an order, and how long anyone waits for the clients to get on: the longest outage and more.
const PATIENCE: Duration = Duration::from_secs(120);

impl RunningLoad {
    /// Begins to place `count` orders with the service of `orders`.
    pub fn begin(orders: &Part, count: usize) -> anyhow::Result<Self> {
        let url = orders.url().expect("orders has an HTTP interface");
        let load = Arc::new(Load {
            orders: (0..count).map(order).collect(),
            next: AtomicUsize::new(0),
            acknowledged: Mutex::default(),
        });
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(place(Arc::clone(&load), OrdersClient::new(&url)?, OrdersClient::new(&url)?));
        }
        Ok(Self { load, clients })
    }

    /// Blocks until so many orders are acknowledged.
    pub fn wait_acknowledged(&self, count: usize) {
        let what = format!("{count} orders are acknowledged");
        eventually_blocking(&what, PATIENCE, || (self.load.acknowledged().len() >= count).then_some(()));
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

fn order(index: usize) -> NewOrder {
    let id = format!("order-{index}");
    if index % 10 == 5 { NewOrder::bad(id) } else { NewOrder::good(id) }
}

async fn place(load: Arc<Load>, client: OrdersClient, other_client: OrdersClient) {
    loop {
        let index = load.next.fetch_add(1, Ordering::Relaxed);
        let Some(order) = load.orders.get(index) else { return };
        let is_acknowledged = match index % 10 {
            3 => {
                let (one, other) = (&client, &other_client);
                tokio::join!(
                    one.place_until_acknowledged(order, PATIENCE),
                    other.place_until_acknowledged(order, PATIENCE)
                );
                true
            }
            7 => client.is_acknowledged(order).await,
            _ => {
                client.place_until_acknowledged(order, PATIENCE).await;
                true
            }
        };
        if is_acknowledged {
            let deserved = if order.quantity > 0 { OrderState::Validated } else { OrderState::Failed };
            load.acknowledged().insert(order.id.clone(), deserved);
        }
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
