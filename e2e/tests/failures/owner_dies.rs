#![expect(clippy::disallowed_methods, reason = "whether an answer comes at its deadline is told by the clock")]

use std::fmt;
use std::time::{Duration, Instant};

use e2e::{Answer, NewOrder, OrderDocument, OrdersClient};
use local::{Part, Stack};
use reqwest::StatusCode;
use test_kit::eventually;
use tokio::task::JoinSet;

use crate::ecosystem::Ecosystem;

/// The one that dies, and the one that is asked.
const OWNER: &str = "orders";
const SURVIVOR: &str = "orders-1";

const READS: usize = 200;
const PLACINGS: usize = 50;

/// Every so manyth request has little patience.
const IMPATIENT: usize = 5;

/// Less than the 10 s after which a broker gives the partitions to others.
const SHORT: Duration = Duration::from_secs(4);

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(40);

/// By how much an answer may be late on a busy machine.
const MARGIN: Duration = Duration::from_secs(3);

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// For the verdict on an order that exists.
    Verdict,
    /// For an order that does not exist.
    Order,
    /// For the creation of an order.
    Placing,
}

/// A request, when it was to be answered at the latest, and how it was.
struct Answered {
    wait: Wait,
    id: String,
    timeout: Duration,
    after: Duration,
    answer: Answer,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait_for_an_owner_that_is_killed_are_answered_when_it_is_back() -> anyhow::Result<()> {
    let ecosystem = two_instances_and_no_check().await?;
    let waiting = requests_wait_for_a_stalled_owner(&ecosystem).await?;

    ecosystem.part(OWNER).kill();
    ecosystem.part(OWNER).start()?;

    give_what_is_waited_for(&ecosystem, &waiting.missing).await?;
    for answered in waiting.impatient.join_all().await {
        let answered = answered?;
        if !answered.is_given_up_in_time() {
            answered.assert_is_what_was_asked_for();
        }
    }
    for answered in waiting.patient.join_all().await {
        answered?.assert_is_what_was_asked_for();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait_for_an_owner_that_is_gone_for_good_are_answered_by_who_takes_over() -> anyhow::Result<()> {
    let ecosystem = two_instances_and_no_check().await?;
    let waiting = requests_wait_for_a_stalled_owner(&ecosystem).await?;

    ecosystem.part(OWNER).kill();

    for answered in waiting.impatient.join_all().await {
        let answered = answered?;
        // What is placed is created as soon as somebody has taken over, which may be early.
        if answered.wait != Wait::Placing || !answered.is_what_was_asked_for() {
            assert!(answered.is_given_up_in_time(), "{answered}");
        }
    }
    give_what_is_waited_for(&ecosystem, &waiting.missing).await?;
    for answered in waiting.patient.join_all().await {
        answered?.assert_is_what_was_asked_for();
    }
    Ok(())
}

async fn two_instances_and_no_check() -> anyhow::Result<Ecosystem> {
    Ecosystem::start(Stack::builder().without("order-details").without("order-details-1")).await
}

/// Requests under way, and the ids of the orders that some of them wait for in vain so far.
struct Waiting {
    impatient: JoinSet<anyhow::Result<Answered>>,
    patient: JoinSet<anyhow::Result<Answered>>,
    missing: Vec<String>,
}

/// Has the survivor asked for what its stalled neighbour owns, until all requests wait.
async fn requests_wait_for_a_stalled_owner(ecosystem: &Ecosystem) -> anyhow::Result<Waiting> {
    let survivor = client(ecosystem.part(SURVIVOR))?;
    let candidates = |name: &'static str, count| (0..count).map(move |index| format!("{name}-{index}"));
    for id in candidates("existing", 2 * READS) {
        assert_eq!(survivor.place(&NewOrder::good(&id)).await?.status, StatusCode::CREATED, "{id}");
    }
    ecosystem.part(OWNER).pause();
    let (existing, missing, placed) = tokio::try_join!(
        served_by_nobody(&survivor, candidates("existing", 2 * READS), READS / 2),
        served_by_nobody(&survivor, candidates("missing", 2 * READS), READS / 2),
        served_by_nobody(&survivor, candidates("placed", 4 * PLACINGS), PLACINGS),
    )?;

    let (mut impatient, mut patient) = (JoinSet::new(), JoinSet::new());
    for (wait, ids) in [(Wait::Verdict, existing), (Wait::Order, missing.clone()), (Wait::Placing, placed)] {
        for (index, id) in ids.into_iter().enumerate() {
            let (requests, timeout) =
                if index % IMPATIENT == 0 { (&mut impatient, SHORT) } else { (&mut patient, LONG) };
            requests.spawn(request(survivor.clone(), wait, id, timeout));
        }
    }
    let metrics = format!("{}/metrics", ecosystem.part(SURVIVOR).admin_url().expect("a service has an admin port"));
    eventually("all requests wait", SHORT, async || {
        let text = reqwest::get(&metrics).await.ok()?.text().await.ok()?;
        let waiters = text.lines().filter(|line| line.starts_with("streams_waiters"));
        let waiters: f64 = waiters.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum();
        (waiters >= (READS + PLACINGS) as f64).then_some(())
    })
    .await;
    Ok(Waiting { impatient, patient, missing })
}

/// The first of these ids whose partition nobody serves: of such a one an instance cannot even say that it does not exist.
async fn served_by_nobody(
    survivor: &OrdersClient,
    ids: impl Iterator<Item = String>,
    count: usize,
) -> anyhow::Result<Vec<String>> {
    let mut questions = JoinSet::new();
    for id in ids {
        let survivor = survivor.clone();
        questions.spawn(async move { anyhow::Ok((survivor.get(&id).await?.status, id)) });
    }
    let answers: anyhow::Result<Vec<_>> = questions.join_all().await.into_iter().collect();
    let unserved = answers?.into_iter().filter(|(status, _)| *status == StatusCode::SERVICE_UNAVAILABLE);
    let ids: Vec<String> = unserved.map(|(_, id)| id).take(count).collect();
    assert_eq!(ids.len(), count, "half of the partitions are the stalled owner's");
    Ok(ids)
}

async fn request(client: OrdersClient, wait: Wait, id: String, timeout: Duration) -> anyhow::Result<Answered> {
    let asked = Instant::now();
    let answer = match wait {
        Wait::Verdict => client.get_validated(&id, timeout).await?,
        Wait::Order => client.get_within(&id, timeout).await?,
        Wait::Placing => client.place_within(&NewOrder::good(&id), timeout).await?,
    };
    Ok(Answered { wait, id, timeout, after: asked.elapsed(), answer })
}

/// Places the orders that do not exist, without waiting for them, and starts the check that gives the verdicts.
async fn give_what_is_waited_for(ecosystem: &Ecosystem, missing: &[String]) -> anyhow::Result<()> {
    let survivor = client(ecosystem.part(SURVIVOR))?;
    for id in missing {
        assert_eq!(survivor.place_async(&NewOrder::good(id)).await?.status, StatusCode::ACCEPTED, "{id}");
    }
    Ok(ecosystem.part("order-details").start()?)
}

fn client(part: &Part) -> anyhow::Result<OrdersClient> {
    OrdersClient::new(&part.url().expect("orders has an HTTP interface"))
}

impl Answered {
    /// Whether it was told at its own deadline that what it waits for has not come yet.
    fn is_given_up_in_time(&self) -> bool {
        let status = if self.wait == Wait::Placing { StatusCode::ACCEPTED } else { StatusCode::GATEWAY_TIMEOUT };
        self.answer.status == status && (self.timeout..self.timeout + MARGIN).contains(&self.after)
    }

    fn is_what_was_asked_for(&self) -> bool {
        let status = if self.wait == Wait::Placing { StatusCode::CREATED } else { StatusCode::OK };
        let is_asked_for =
            |order: OrderDocument| order.id == self.id && (self.wait != Wait::Verdict || order.state == "VALIDATED");
        self.answer.status == status && self.answer.order().is_ok_and(is_asked_for)
    }

    fn assert_is_what_was_asked_for(&self) {
        assert!(self.is_what_was_asked_for(), "{self}");
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wait, id, timeout, after, answer } = self;
        write!(
            f,
            "{wait:?} of {id} within {timeout:?} was answered after {after:?} with {} {}",
            answer.status, answer.body
        )
    }
}
