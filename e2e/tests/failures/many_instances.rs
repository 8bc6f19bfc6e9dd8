use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use e2e::{NewOrder, OrdersClient, Question, Witness, wrong_answers};
use local::Stack;
use reqwest::StatusCode;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::ecosystem::{Ecosystem, SERVICES};
use crate::load::{self, RunningLoad, assert_verdicts};
use crate::seed;
use crate::told::{Told, deliver};

const ORDERS: usize = 10_000;

const CUSTOMERS: usize = 300;

/// Products with the pieces there are: some have less than is asked for.
const PRODUCTS: [(&str, i64); 8] = [
    ("SCARVES", 100_000),
    ("GLOVES", 100_000),
    ("HATS", 3_000),
    ("BOOTS", 2_000),
    ("COATS", 1_000),
    ("BELTS", 300),
    ("CAPES", 20),
    ("CROWNS", 1),
];

const READERS: usize = 4;

/// A reader asks no faster.
const PACE: Duration = Duration::from_millis(10);

/// What a reader allows a question that may wait, and an instance that answers nobody.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// The longest anything here may take: a session, a restart, and a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens to one instance while orders come in.
#[derive(Clone, Debug)]
enum Event {
    KilledAndRestarted(String),
    LeavesAndReturns(String),
    StalledPastItsSession(String),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_come_go_die_and_stall_lose_nothing_double_nothing_and_show_nothing_wrong() -> anyhow::Result<()>
{
    let mut random = seed::random()?;
    // The directory is below that of the part, and ends with the stack.
    let builder = Stack::builder().env("orders", "STATE_DIR", "state").env("inventory", "STATE_DIR", "state");
    let builder = ["orders-1", "order-details-1", "fraud-1", "inventory-1"]
        .into_iter()
        .fold(builder, |builder, part| builder.env(part, "STREAM_THREADS", "2"));
    let ecosystem = Ecosystem::start(builder).await?;
    assert!(ecosystem.stack.directory().join("orders/state").is_dir(), "orders keeps its store on disk");
    deliver(&ecosystem, &PRODUCTS).await?;
    let told = Told::begin(&ecosystem)?;
    let witness: Arc<Witness> = Arc::default();
    let orders = (0..ORDERS).map(|index| order(index, &mut random)).collect();
    let load = RunningLoad::through(&ecosystem.orders_urls(), orders, Arc::clone(&witness))?;
    let readers = Readers::begin(&ecosystem.orders_urls(), &witness, &mut random)?;

    let events = events(&mut random);
    let share = ORDERS / events.len();
    for (number, event) in events.into_iter().enumerate() {
        let placed = number * share;
        load.allow(placed + share);
        readers.placed.store(placed + share, Ordering::Relaxed);
        // The rest of the share is placed while it happens.
        let moment = placed + random.usize(1..share / 2);
        load.wait_settled(moment);
        println!("{event} after {moment} orders");
        event.happen(&ecosystem, &load, &witness).await?;
    }
    load.allow(ORDERS);
    let acknowledged = load.end().await;
    readers.end().await;

    ecosystem.await_verdicts().await;
    let follows = told.end(&ecosystem).await?;
    let acknowledged = acknowledged.into_keys().map(|id| (id.clone(), follows[&id])).collect();
    for url in ecosystem.orders_urls() {
        assert_verdicts(&OrdersClient::new(&url)?, &acknowledged).await;
    }
    ecosystem.assert_sound(&acknowledged).await?;
    let (readings, log) = (witness.readings(), ecosystem.log().await?);
    println!("{} answers are held against the log", readings.len());
    let wrong = wrong_answers(&readings, &log.orders);
    assert!(wrong.is_empty(), "{} of {} answers are wrong:\n{}", wrong.len(), readings.len(), wrong.join("\n"));
    Ok(())
}

/// Every instance is killed; of each service one leaves, and two instances stall.
fn events(random: &mut fastrand::Rng) -> Vec<Event> {
    let mut events = Vec::new();
    let mut stalled = Vec::new();
    for service in SERVICES {
        let instances = [service.to_string(), format!("{service}-1")];
        events.extend(instances.clone().map(Event::KilledAndRestarted));
        events.push(Event::LeavesAndReturns(instances[random.usize(0..2)].clone()));
        stalled.push(Event::StalledPastItsSession(instances[random.usize(0..2)].clone()));
    }
    // One that answers requests and one that does not: each costs the time of a session.
    events.push(stalled.remove(0));
    events.push(stalled.swap_remove(random.usize(0..stalled.len())));
    random.shuffle(&mut events);
    events
}

/// An order as the load has them, of one of the products and by one of the customers, who can afford so many.
fn order(index: usize, random: &mut fastrand::Rng) -> NewOrder {
    let order = load::order(index);
    let quantity = if order.quantity > 0 { random.i32(1..=4) } else { order.quantity };
    let customer_id = i64::try_from(random.usize(1..=CUSTOMERS)).unwrap_or(1);
    let (product, _) = PRODUCTS[random.usize(0..PRODUCTS.len())];
    NewOrder { customer_id, product: product.to_string(), quantity, price: random.u32(1..=60).into(), ..order }
}

impl Event {
    async fn happen(self, ecosystem: &Ecosystem, load: &RunningLoad, witness: &Arc<Witness>) -> anyhow::Result<()> {
        match self {
            Self::KilledAndRestarted(name) => {
                ecosystem.part(&name).kill();
                ecosystem.part(&name).start()?;
            }
            Self::LeavesAndReturns(name) => {
                let part = ecosystem.part(&name);
                part.leave()?;
                // Whoever has left answers as before.
                for url in ecosystem.orders_urls() {
                    see_orders_through(&url, &format!("without-{name}"), witness).await?;
                }
                part.stop();
                let status = part.exit_status().expect("it has ended");
                assert!(status.success(), "{name} ended with {status}:\n{}", part.log_tail(20));
                part.start()?;
            }
            Self::StalledPastItsSession(name) => stall(ecosystem, &name, load, witness).await?,
        }
        Ok(())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KilledAndRestarted(name) => write!(f, "{name} is killed and restarted"),
            Self::LeavesAndReturns(name) => write!(f, "{name} leaves and returns"),
            Self::StalledPastItsSession(name) => write!(f, "{name} stands still until the others have taken over"),
        }
    }
}

/// Stops an instance in its tracks until its partitions are somebody else's. Then it goes on, and must not answer from
/// the past.
async fn stall(ecosystem: &Ecosystem, name: &str, load: &RunningLoad, witness: &Arc<Witness>) -> anyhow::Result<()> {
    let part = ecosystem.part(name);
    part.pause();
    // It may have seen these without their verdicts, and those below not at all.
    let mut ids = load.latest_acknowledged(50);
    for url in ecosystem.orders_urls().into_iter().filter(|url| Some(url) != part.url().as_ref()) {
        see_verdicts(&url, &ids, witness).await?;
        ids.extend(see_orders_through(&url, &format!("during-the-stall-of-{name}"), witness).await?);
    }
    let mut questions = JoinSet::new();
    if let Some(url) = part.url() {
        let zombie = OrdersClient::of_instances(&[url], PATIENCE)?;
        for id in ids {
            let (zombie, witness) = (zombie.clone(), Arc::clone(witness));
            questions.spawn(async move {
                let order = witness.ask(&zombie, &id, Question::Order(Duration::ZERO)).await?;
                let verdict = witness.ask(&zombie, &id, Question::Verdict(Duration::ZERO)).await?;
                anyhow::Ok([order.status, verdict.status])
            });
        }
    }
    part.resume();
    for statuses in questions.join_all().await {
        let statuses = statuses?;
        let is_right = |status| [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(status);
        assert!(statuses.iter().all(is_right), "{name} answers with {statuses:?} when it goes on");
    }
    part.wait_ready(PATIENCE)?;
    Ok(())
}

/// Places orders in all partitions and waits for their verdicts; their ids.
async fn see_orders_through(url: &str, name: &str, witness: &Witness) -> anyhow::Result<Vec<String>> {
    let client = OrdersClient::new(url)?;
    let port = url.rsplit(':').next().unwrap_or_default();
    let ids: Vec<String> = (0..16).map(|index| format!("{name}-{port}-{index}")).collect();
    for id in &ids {
        witness.place(&client, &NewOrder::good(id), PATIENCE).await?;
    }
    see_verdicts(url, &ids, witness).await?;
    Ok(ids)
}

async fn see_verdicts(url: &str, ids: &[String], witness: &Witness) -> anyhow::Result<()> {
    let client = OrdersClient::new(url)?;
    for id in ids {
        let answer = witness.ask(&client, id, Question::Verdict(PATIENCE)).await?;
        assert_eq!(answer.status, StatusCode::OK, "{id}: {}", answer.body);
    }
    Ok(())
}

/// Clients that ask for orders all the time, new ones before all. Whoever drops it ends them.
struct Readers {
    /// How many orders may have been placed by now.
    placed: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Readers {
    fn begin(urls: &[String], witness: &Arc<Witness>, random: &mut fastrand::Rng) -> anyhow::Result<Self> {
        let placed: Arc<AtomicUsize> = Arc::default();
        let mut tasks = JoinSet::new();
        for _ in 0..READERS {
            let client = OrdersClient::of_instances(urls, 2 * READ_WITHIN)?;
            tasks.spawn(read(client, Arc::clone(witness), Arc::clone(&placed), random.fork()));
        }
        Ok(Self { placed, tasks })
    }

    async fn end(mut self) {
        self.tasks.abort_all();
        while let Some(ended) = self.tasks.join_next().await {
            assert!(ended.is_err_and(|error| error.is_cancelled()), "no reader met an answer it does not understand");
        }
    }
}

async fn read(client: OrdersClient, witness: Arc<Witness>, placed: Arc<AtomicUsize>, mut random: fastrand::Rng) {
    const UNDERSTOOD: [StatusCode; 4] =
        [StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
    let mut pace = interval(PACE);
    loop {
        pace.tick().await;
        let placed = placed.load(Ordering::Relaxed);
        let id = load::id(random.usize(placed.saturating_sub(ORDERS / 4)..=placed));
        let timeout = if random.u8(0..10) == 0 { READ_WITHIN } else { Duration::ZERO };
        let question = if random.bool() { Question::Order(timeout) } else { Question::Verdict(timeout) };
        // No answer at all is what one gets from an instance that is killed or stands still.
        if let Ok(answer) = witness.ask(&client, &id, question).await {
            assert!(
                UNDERSTOOD.contains(&answer.status),
                "{question:?} {id} is answered with {} {}",
                answer.status,
                answer.body
            );
        }
    }
}
