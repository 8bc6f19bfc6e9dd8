use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use avro_codec::registry::Registry;
use avro_codec::{AvroRecord, Schemas};
use local::{Interrupt, Part, Stack};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use shared_schemas::{
    MAILS_SENT, MailKind, MailSent, ORDER_DETAILS_VALIDATIONS, ORDER_REQUESTS, ORDERS, Order, OrderRequested,
    OrderState, OrderValidation, PAYMENTS, Payment, StockLevel, WAREHOUSE_INVENTORY,
};
use streams::{DEFAULT_PARTITIONS, Timestamp, Topic, TopicDeclaration, subject};
use streams_kafka::partition_of;

use crate::bare::CountingProducer;
use crate::prometheus::Metrics;
use crate::process::{cpu_time, cpu_time_of_tree, memory_mib};
use crate::report::{Figure, Outcome, Report, doing};

const NUMBER_OF_ORDERS: usize = 60_000;
/// From its request to its mail.
const EVENTS_OF_AN_ORDER: usize = 7;
const LEAST_PER_SECOND: f64 = 20_000.0;
const GIVEN_UP_AFTER: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const SOME_TIME: Timestamp = Timestamp(1_700_000_000_000);

/// Writes a log while views are down, and measures how fast they apply it to empty tables.
pub(crate) fn run(interrupt: &Interrupt, report: &mut Report) -> anyhow::Result<()> {
    // The topics of the other checks are those of services that are not started.
    let builder = Stack::builder().only(["views"]).env("views", "CHECKS", "order-details");
    let stack = builder.interrupt(interrupt.clone()).start()?;
    let (views, postgres) = (stack.part("views"), stack.part("postgres"));
    views.stop();
    let events = NUMBER_OF_ORDERS * EVENTS_OF_AN_ORDER;
    doing(&format!("  {events} events are in the log"), || tell(&stack))?;

    views.start()?;
    let pid = views.pid().context("views run")?;
    let database = postgres.pid().context("postgres runs")?;
    let applied = Applied::by(views)?;
    let first = applied.await_more_than(0.0)?;
    let before = (cpu_time(pid)?, cpu_time_of_tree(database)?);
    let last = applied.await_more_than(f64::from(u32::try_from(events)?) - 1.0)?;
    let after = (cpu_time(pid)?, cpu_time_of_tree(database)?);

    let (number, seconds) = (last.events - first.events, (last.at - first.at).as_secs_f64());
    let rate = number / seconds;
    let share = |used: Duration| used.as_secs_f64() / seconds * 100.0;
    let each = |used: Duration| used.as_secs_f64() * 1e6 / number;
    let (ours, theirs) = (after.0 - before.0, after.1 - before.1);
    report.add(Figure {
        what: format!("{events} events to tables"),
        bar: format!("≥ {LEAST_PER_SECOND} events/s"),
        value: format!("{rate:.0} events/s, {:.0} in a batch", number / (last.batches - first.batches)),
        beside: format!(
            "views {:.0} % of a core, {:.1} µs an event, {:.0} MiB; postgres {:.0} %, {:.1} µs",
            share(ours),
            each(ours),
            memory_mib(pid)?,
            share(theirs),
            each(theirs)
        ),
        outcome: Outcome::of(rate >= LEAST_PER_SECOND),
    });
    Ok(())
}

/// What views say they have applied.
struct Applied {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    admin_url: String,
}

struct Look {
    at: Instant,
    events: f64,
    batches: f64,
}

impl Applied {
    fn by(views: &Part) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let admin_url = views.admin_url().context("a service has an admin port")?;
        Ok(Self { runtime, client: reqwest::Client::new(), admin_url })
    }

    fn await_more_than(&self, events: f64) -> anyhow::Result<Look> {
        let began = Instant::now();
        loop {
            let metrics = self.runtime.block_on(Metrics::fetch(&self.client, &self.admin_url))?;
            let (events_now, batches) = (metrics.counter("views_events_total"), metrics.counter("views_batches_total"));
            if events_now > events {
                return Ok(Look { at: Instant::now(), events: events_now, batches });
            }
            ensure!(began.elapsed() < GIVEN_UP_AFTER, "{events_now} events after {GIVEN_UP_AFTER:?}");
            thread::sleep(BETWEEN_LOOKS);
        }
    }
}

/// Writes the journeys of all orders, side by side as they would be in life.
fn tell(stack: &Stack) -> anyhow::Result<()> {
    let addresses = stack.addresses();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let schemas = Schemas::new();
    let registry = Registry::new(&addresses.schema_registry_url, Duration::from_secs(10))?;
    let declarations: [TopicDeclaration; 6] = [
        ORDER_REQUESTS.declaration(),
        ORDERS.declaration(),
        ORDER_DETAILS_VALIDATIONS.declaration(),
        PAYMENTS.declaration(),
        MAILS_SENT.declaration(),
        WAREHOUSE_INVENTORY.declaration(),
    ];
    let bound: Vec<_> =
        declarations.into_iter().filter_map(|topic| Some((subject(&topic.name), topic.schema?))).collect();
    runtime.block_on(registry.bind_all(&schemas, &bound))?;
    let mut told = Told { producer: CountingProducer::idempotent(&addresses.kafka_bootstrap)?, schemas };
    for number in 0..NUMBER_OF_ORDERS {
        told.tell(number)?;
    }
    Ok(told.producer.await_acknowledgements()?)
}

struct Told {
    producer: CountingProducer,
    schemas: Schemas,
}

impl Told {
    fn tell(&mut self, number: usize) -> anyhow::Result<()> {
        let order = order(number)?;
        self.say(&ORDER_REQUESTS, &requested(&order))?;
        self.say(&ORDERS, &order)?;
        self.say(&ORDER_DETAILS_VALIDATIONS, &OrderValidation::new("order-details", &order, None, order.created_at))?;
        let level = StockLevel {
            product: order.product.clone(),
            on_hand: 1_000_000,
            reserved: i64::try_from(number)?,
            version: i32::try_from(number)? + 1,
            updated_at: order.updated_at,
        };
        self.say(&WAREHOUSE_INVENTORY, &level)?;
        let order = Order { state: OrderState::Validated, version: 2, ..order };
        self.say(&ORDERS, &order)?;
        let payment = Payment {
            id: format!("payment-{}", order.id),
            order_id: order.id.clone(),
            amount_minor: order.price_minor,
            currency: order.currency.clone(),
            paid_at: order.updated_at,
        };
        self.say(&PAYMENTS, &payment)?;
        let mail = MailSent {
            idempotency_key: format!("{}/confirmation", order.id),
            subject: format!("Your order {} is confirmed", order.id),
            order_id: order.id,
            kind: MailKind::Confirmation,
            sent_at: order.updated_at,
        };
        self.say(&MAILS_SENT, &mail)
    }

    fn say<V: AvroRecord>(&mut self, topic: &Topic<V>, value: &V) -> anyhow::Result<()> {
        let (key, bytes) = (topic.key(value), self.schemas.encode(&subject(topic.name()), value)?);
        let partition = partition_of(&key, DEFAULT_PARTITIONS);
        let processed_at = SOME_TIME.as_millis().to_string();
        // What the engine writes bears it.
        let headers = OwnedHeaders::new().insert(Header { key: "processed-at", value: Some(&processed_at) });
        let record = BaseRecord::to(topic.name()).partition(partition).key(key.as_bytes()).headers(headers);
        Ok(self.producer.send(record.payload(&bytes))?)
    }
}

fn order(number: usize) -> anyhow::Result<Order> {
    let at = Timestamp(SOME_TIME.as_millis() + i64::try_from(number)?);
    Ok(Order {
        id: format!("0199c0de-0000-7000-8000-{number:012}"),
        customer_id: i64::try_from(number % 1000)?,
        state: OrderState::Created,
        product: ["JUMPERS", "UNDERPANTS", "STOCKINGS"][number % 3].to_string(),
        quantity: 1,
        price_minor: 999,
        currency: "USD".to_string(),
        version: 1,
        reasons: Vec::new(),
        created_at: at,
        updated_at: at,
    })
}

fn requested(order: &Order) -> OrderRequested {
    let body = format!(r#"{{"id": "{}", "customerId": {}, "product": "{}", "quantity": 1, "price": 9.99}}"#,
        order.id, order.customer_id, order.product);
    OrderRequested {
        body: body.into_bytes(),
        order_id: order.id.clone(),
        customer_id: order.customer_id,
        product: order.product.clone(),
        quantity: order.quantity,
        price_minor: order.price_minor,
        currency: order.currency.clone(),
        requested_at: order.created_at,
    }
}
