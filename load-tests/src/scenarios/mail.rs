use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use avro_codec::registry::Registry;
use avro_codec::{AvroRecord, Schemas};
use local::{Interrupt, Part, READY_WITHIN, Stack};
use shared_schemas::{ORDERS, Order, OrderState, PAYMENTS, Payment};
use streams::{Timestamp, Topic, subject};
use streams_kafka::{Journal, Settings};
use tokio::runtime::Runtime;

use tokio::time::timeout;

use crate::latencies::Latencies;
use crate::pace::{Pace, pause};
use crate::process::{cpu_time, memory_mib};
use crate::provider::Provider;
use crate::report::{Figure, Outcome, Report};

const WATCHED: Duration = Duration::from_secs(30);
const MOST_CPU_PERCENT: f64 = 1.0;
const MOST_MEMORY_MIB: f64 = 30.0;
const LONGEST_MEDIAN_MS: f64 = 100.0;
const LEAST_PER_SECOND: f64 = 300.0;
/// Mails sent as fast as they go.
const MANY: u32 = 6000;
const SENT_WITHIN: Duration = Duration::from_secs(60);

/// Watches email idle, then paid orders at a steady rate, then as many rejections as there can be, with a provider that
/// takes everything.
pub(crate) fn run(interrupt: &Interrupt, report: &mut Report) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let provider = Arc::new(Provider::default());
    let url = runtime.block_on(provider.clone().listening())?;
    let builder = Stack::builder().only(["email", "seed-customers"]).interrupt(interrupt.clone());
    let stack = builder.env("email", "TRANSPORT", "http").env("email", "PROVIDER_URL", url).start()?;
    let shop = Shop { journal: runtime.block_on(journal(&stack))?, provider, runtime };

    idle(stack.part("email"), interrupt, report)?;
    // The broker's compiler is busy with its first thousands of transactions.
    shop.pay(Pace::new(200, 30), "warm-up", interrupt)?;
    let latencies = shop.pay(Pace::new(100, 20), "paid", interrupt)?;
    report.add(Figure {
        what: "order and payment committed to mail at 100/s".to_string(),
        bar: format!("median ≤ {LONGEST_MEDIAN_MS} ms"),
        value: latencies.summary(),
        beside: String::new(),
        outcome: Outcome::of(latencies.median_ms() <= LONGEST_MEDIAN_MS && latencies.errors == 0),
    });
    let rate = shop.reject()?;
    report.add(Figure {
        what: format!("{MANY} rejections, journaled to mailed"),
        bar: format!("≥ {LEAST_PER_SECOND} mails/s"),
        value: format!("{rate:.0} mails/s"),
        beside: String::new(),
        outcome: Outcome::of(rate >= LEAST_PER_SECOND),
    });
    Ok(())
}

fn idle(email: &Part, interrupt: &Interrupt, report: &mut Report) -> anyhow::Result<()> {
    let pid = email.pid().context("email runs")?;
    let before = cpu_time(pid)?;
    pause(interrupt, WATCHED)?;
    let percent = (cpu_time(pid)? - before).as_secs_f64() / WATCHED.as_secs_f64() * 100.0;
    let memory = memory_mib(pid)?;
    report.add(Figure {
        what: "email, idle".to_string(),
        bar: format!("≤ {MOST_CPU_PERCENT} % of a core, ≤ {MOST_MEMORY_MIB} MiB"),
        value: format!("{percent:.2} %, {memory:.1} MiB"),
        beside: String::new(),
        outcome: Outcome::of(percent <= MOST_CPU_PERCENT && memory <= MOST_MEMORY_MIB),
    });
    Ok(())
}

/// Says what orders and payments say.
struct Shop {
    runtime: Runtime,
    journal: Journal,
    provider: Arc<Provider>,
}

impl Shop {
    /// Orders and their payments in an open loop, half of them the one first and half the other, measured from when both are
    /// acknowledged.
    fn pay(&self, pace: Pace, label: &str, interrupt: &Interrupt) -> anyhow::Result<Latencies> {
        let mut journeys = Vec::new();
        let now = now()?;
        pace.keep(interrupt, |number, _| {
            let (order, payment) = (order(label, number, OrderState::Validated, now), payment(label, number, now));
            let (journal, provider) = (self.journal.clone(), self.provider.clone());
            journeys.push(self.runtime.spawn(async move {
                let sent = provider.awaited(&format!("{}/confirmation", order.id));
                if number.is_multiple_of(2) {
                    journal.append(&ORDERS, &order, now, None).await.ok()?;
                    journal.append(&PAYMENTS, &payment, now, None).await.ok()?;
                } else {
                    journal.append(&PAYMENTS, &payment, now, None).await.ok()?;
                    journal.append(&ORDERS, &order, now, None).await.ok()?;
                }
                let committed = Instant::now();
                let sent = timeout(SENT_WITHIN, sent).await.ok()?.ok()?;
                Some(sent.saturating_duration_since(committed))
            }));
        })?;
        let durations = self.runtime.block_on(async {
            let mut durations = Vec::new();
            for journey in journeys {
                durations.push(journey.await?);
            }
            anyhow::Ok(durations)
        })?;
        Ok(Latencies::of(durations))
    }

    /// Failed orders, all at once; how many mails left in a second.
    fn reject(&self) -> anyhow::Result<f64> {
        self.runtime.block_on(async {
            let now = now()?;
            let orders: Vec<Order> = (0..MANY).map(|number| order("failed", number, OrderState::Failed, now)).collect();
            let sent: Vec<_> =
                orders.iter().map(|order| self.provider.awaited(&format!("{}/rejection", order.id))).collect();
            let began = Instant::now();
            let mut appended = tokio::task::JoinSet::new();
            for order in orders {
                let journal = self.journal.clone();
                appended.spawn(async move { journal.append(&ORDERS, &order, now, None).await });
            }
            while let Some(appended) = appended.join_next().await {
                appended??;
            }
            let mut last = began;
            for sent in sent {
                last = last.max(timeout(SENT_WITHIN, sent).await??);
            }
            ensure!(last > began, "no mail was sent");
            Ok(f64::from(MANY) / (last - began).as_secs_f64())
        })
    }
}

async fn journal(stack: &Stack) -> anyhow::Result<Journal> {
    fn bound<V: AvroRecord>(topic: &Topic<V>) -> (String, String) {
        (subject(topic.name()), V::schema())
    }
    let addresses = stack.addresses();
    let schemas = Schemas::new();
    let registry = Registry::new(&addresses.schema_registry_url, Duration::from_secs(10))?;
    registry.bind_all(&schemas, &[bound(&ORDERS), bound(&PAYMENTS)]).await?;
    Ok(Journal::new(Settings::new(addresses.kafka_bootstrap, "load-tests"), schemas, READY_WITHIN)?)
}

/// An order of one of the customers of the demo.
fn order(label: &str, number: u32, state: OrderState, now: Timestamp) -> Order {
    Order {
        id: format!("{label}-{number}"),
        customer_id: i64::from(1 + number % 9),
        state,
        product: "JUMPERS".to_string(),
        quantity: 1,
        price_minor: 999,
        currency: "USD".to_string(),
        version: 2,
        reasons: Vec::new(),
        created_at: now,
        updated_at: now,
    }
}

fn payment(label: &str, number: u32, now: Timestamp) -> Payment {
    Payment {
        id: format!("payment-{label}-{number}"),
        order_id: format!("{label}-{number}"),
        amount_minor: 999,
        currency: "USD".to_string(),
        paid_at: now,
    }
}

fn now() -> anyhow::Result<Timestamp> {
    Ok(Timestamp(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?))
}
