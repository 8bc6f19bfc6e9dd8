use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use e2e::{Chronicle, Gateway, NewOrder, OrdersClient, Question, Witness, differences, shown, wrong_answers};
use local::Stack;
use reqwest::StatusCode;
use shared_schemas::{CUSTOMERS, MAILS_SENT, ORDERS as ORDERS_TOPIC, PAYMENTS};
use test_kit::eventually;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::ecosystem::{CHECKS, Ecosystem};
use crate::load::{self, RunningLoad, order};
use crate::mail::{customer, now, payment};
use crate::seed;

const ORDERS: usize = 1_000;

const VIEWS: [&str; 2] = ["views", "views-1"];

const READERS: usize = 3;

/// A reader asks no faster.
const PACE: Duration = Duration::from_millis(10);

/// The longest an instance may take for an answer.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// By when everybody has mail, and the views show it, once everything runs again.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_views_are_what_follows_from_the_log_though_they_are_killed_and_postgres_restarts() -> anyhow::Result<()> {
    let mut random = seed::random()?;
    let (ecosystem, load) = begin().await?;
    let readers = Readers::begin(&ecosystem, &mut random, &[StatusCode::SERVICE_UNAVAILABLE])?;
    let share = ORDERS / 10;
    for round in 0..9 {
        load.wait_acknowledged(round * share + random.usize(1..share));
        if round % 3 == 2 {
            ecosystem.part("postgres").restart()?;
        } else {
            let part = ecosystem.part(VIEWS[random.usize(0..2)]);
            part.kill();
            part.start()?;
        }
    }
    load.end().await;
    assert_right(&ecosystem, readers).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_are_made_anew_while_orders_flow_and_every_read_is_answered() -> anyhow::Result<()> {
    let mut random = seed::random()?;
    let (ecosystem, load) = begin().await?;
    let readers = Readers::begin(&ecosystem, &mut random, &[])?;
    for round in 1..4 {
        load.wait_acknowledged(round * ORDERS / 4);
        let rebuilt = ecosystem.part(VIEWS[round % 2]).run(&["rebuild"])?;
        let said = String::from_utf8_lossy(&rebuilt.stderr);
        assert!(rebuilt.status.success(), "{}:\n{said}", rebuilt.status);
    }
    load.end().await;
    assert_right(&ecosystem, readers).await
}

/// A stack with two instances of views, and orders that begin to come in; customers are known, and have paid before.
async fn begin() -> anyhow::Result<(Ecosystem, RunningLoad)> {
    let ecosystem = Ecosystem::start(Stack::builder().single_instances().also("views-1")).await?;
    let (orders, now) = ((0..ORDERS).map(order).collect::<Vec<NewOrder>>(), now());
    ecosystem.topics.write(&CUSTOMERS, now, &orders.iter().map(customer).collect::<Vec<_>>()).await?;
    let payments: Vec<_> = orders.iter().map(|order| payment(order, now)).collect();
    ecosystem.topics.write(&PAYMENTS, now, &payments).await?;
    let load = RunningLoad::begin(ecosystem.part("orders"), ORDERS)?;
    Ok((ecosystem, load))
}

/// Waits until everything has happened; then holds what both instances show, and what readers were shown before, against the
/// log.
async fn assert_right(ecosystem: &Ecosystem, readers: Readers) -> anyhow::Result<()> {
    ecosystem.await_verdicts().await;
    let journaled: BTreeSet<String> = ecosystem.log().await?.requested.into_iter().collect();
    eventually("there was a mail about every order", SHOWN_WITHIN, async || {
        let sent = ecosystem.topics.values(&MAILS_SENT).await.ok()?;
        let about: BTreeSet<String> = sent.into_iter().map(|mail| mail.order_id).collect();
        (about == journaled).then_some(())
    })
    .await;
    for views in Gateway::instances(&ecosystem.stack.addresses(), "views")? {
        // In time, or what is missing is told.
        let _ = timeout(SHOWN_WITHIN, async {
            let mut pace = interval(Duration::from_secs(1));
            while !disagreements(ecosystem, &views).await.is_ok_and(|found| found.is_empty()) {
                pace.tick().await;
            }
        })
        .await;
        let found = disagreements(ecosystem, &views).await?;
        assert!(found.is_empty(), "{} shows {} things wrong:\n{}", views.url(), found.len(), found.join("\n"));
    }
    let dead = ecosystem.topics.dead_letters("views")?;
    assert!(dead.is_empty(), "{dead:?}");

    let (readings, log) = (readers.end().await, ecosystem.topics.values(&ORDERS_TOPIC).await?);
    println!("{} answers are held against the log", readings.readings().len());
    let wrong = wrong_answers(&readings.readings(), &log);
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

async fn disagreements(ecosystem: &Ecosystem, views: &Gateway) -> anyhow::Result<Vec<String>> {
    let follows = Chronicle::read(&ecosystem.topics, &CHECKS).await?.documents();
    Ok(differences(follows, shown(views).await?))
}

/// Clients that look orders up in all instances of views, all the time. Whoever drops it ends them.
struct Readers {
    witness: Arc<Witness>,
    tasks: JoinSet<()>,
}

impl Readers {
    /// What they understand as an answer, beside the order and that there is none; nothing at all, if this is.
    fn begin(
        ecosystem: &Ecosystem,
        random: &mut fastrand::Rng,
        understood: &'static [StatusCode],
    ) -> anyhow::Result<Self> {
        let witness: Arc<Witness> = Arc::default();
        let urls: Vec<String> = VIEWS.iter().filter_map(|name| ecosystem.part(name).url()).collect();
        let mut tasks = JoinSet::new();
        for _ in 0..READERS {
            let client = OrdersClient::of_instances(&urls, READ_WITHIN)?;
            tasks.spawn(read(client, Arc::clone(&witness), random.fork(), understood));
        }
        Ok(Self { witness, tasks })
    }

    async fn end(mut self) -> Arc<Witness> {
        self.tasks.abort_all();
        while let Some(ended) = self.tasks.join_next().await {
            assert!(ended.is_err_and(|error| error.is_cancelled()), "no reader met an answer it does not understand");
        }
        self.witness
    }
}

async fn read(
    client: OrdersClient,
    witness: Arc<Witness>,
    mut random: fastrand::Rng,
    understood: &'static [StatusCode],
) {
    let mut pace = interval(PACE);
    loop {
        pace.tick().await;
        let id = load::id(random.usize(0..ORDERS));
        match witness.ask(&client, &id, Question::Order(Duration::ZERO)).await {
            Ok(answer) => {
                let is_understood = answer.status.is_success() || answer.status == StatusCode::NOT_FOUND;
                let is_understood = is_understood || understood.contains(&answer.status);
                assert!(is_understood, "{id} is answered with {} {}", answer.status, answer.body);
            }
            // From an instance that is killed; where none is, there is an answer.
            Err(error) => assert!(!understood.is_empty(), "{id} is not answered: {error:#}"),
        }
    }
}
