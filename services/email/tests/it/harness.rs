use std::collections::BTreeMap;
use std::time::Duration;

use avro_codec::{AvroRecord, Schemas};
use shared_schemas::{
    CUSTOMERS, Customer, CustomerLevel, EMAIL_OUTBOX, MAILS_SENT, MailDue, MailKind, MailSent, ORDERS, Order,
    OrderState, PAYMENTS, Payment,
};
use sqlx::{Connection, PgConnection};
use streams::{Timestamp, Topic};
use test_kit::{RawRecord, Service, eventually, infrastructure};

/// By when anything that a test waits for has happened, also on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Some time in the past.
pub const LONG_AGO: Timestamp = Timestamp(1_700_000_000_000);

/// The sender at work, with a database of its own; the test plays the one who takes its mails.
pub struct Sender {
    pub service: Service,
    pub schemas: Schemas,
    pub database_url: String,
}

impl Sender {
    /// One that sends to this HTTP provider.
    pub fn to_provider(url: &str, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::prepared(&[&[("TRANSPORT", "http"), ("PROVIDER_URL", url)], settings].concat())
    }

    /// One that sends to this mail server.
    pub fn to_server(url: &str, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::prepared(&[&[("TRANSPORT", "smtp"), ("SMTP_URL", url)], settings].concat())
    }

    fn prepared(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let given = settings.iter().find(|(name, _)| *name == "DATABASE_URL").map(|(_, url)| url.to_string());
        let database_url = given.map_or_else(|| infrastructure().database("email"), Ok)?;
        let settings = [settings, &[("DATABASE_URL", &*database_url)]].concat();
        let service = Service::new(env!("CARGO_BIN_EXE_email"), &settings)?;
        let others = [ORDERS.declaration(), PAYMENTS.declaration(), CUSTOMERS.declaration()];
        let schemas = service.register_schemas(&others)?;
        service.create_topics(&others)?;
        Ok(Self { service, schemas, database_url })
    }

    pub fn started(self) -> anyhow::Result<Self> {
        self.service.start()?;
        Ok(self)
    }

    /// Writes what others say.
    pub fn say<V: AvroRecord>(&self, topic: &Topic<V>, values: &[V]) -> anyhow::Result<Vec<RawRecord>> {
        let records = values.iter().map(|value| RawRecord::of(topic, &self.schemas, value));
        self.service.write(topic.name(), records.collect::<anyhow::Result<_>>()?)
    }

    /// Writes mails as the join does.
    pub fn write(&self, mails: &[MailDue]) -> anyhow::Result<Vec<RawRecord>> {
        self.say(&EMAIL_OUTBOX, mails)
    }

    /// Waits until every record of the outbox is done, also for whoever comes after a crash.
    pub async fn await_done(&self) -> anyhow::Result<()> {
        let mut ends = BTreeMap::new();
        for record in self.service.read_all(EMAIL_OUTBOX.name())? {
            ends.insert(record.partition, record.offset + 1);
        }
        eventually("the positions are behind all mails", DEADLINE, async || {
            let positions: BTreeMap<i32, i64> = self.positions().await.unwrap_or_default();
            ends.iter().all(|(partition, end)| positions.get(partition) >= Some(end)).then_some(())
        })
        .await;
        Ok(())
    }

    /// What the sender told of the mails that went out, by their keys, and how often it said so. Panics if it said two things
    /// of one mail.
    pub fn told(&self) -> anyhow::Result<BTreeMap<String, (MailSent, usize)>> {
        let mut told = BTreeMap::new();
        for fact in self.service.values(&MAILS_SENT, &self.schemas)? {
            let (first, times) = told.entry(fact.idempotency_key.clone()).or_insert_with(|| (fact.clone(), 0));
            assert_eq!(*first, fact);
            *times += 1;
        }
        Ok(told)
    }

    async fn positions(&self) -> anyhow::Result<BTreeMap<i32, i64>> {
        let mut connection = PgConnection::connect(&self.database_url).await?;
        let positions =
            sqlx::query_as("SELECT partition, next_offset FROM positions").fetch_all(&mut connection).await?;
        Ok(positions.into_iter().collect())
    }

    /// What the sender remembers of a mail: its state, and how often it was claimed.
    pub async fn remembered(&self, key: &str) -> anyhow::Result<Option<(String, i32)>> {
        let mut connection = PgConnection::connect(&self.database_url).await?;
        let found = sqlx::query_as("SELECT state, attempts FROM mails WHERE idempotency_key = $1");
        Ok(found.bind(key).fetch_optional(&mut connection).await?)
    }
}

/// A mail with this key.
pub fn mail(key: &str) -> MailDue {
    MailDue {
        idempotency_key: key.to_string(),
        order_id: key.split('/').next().unwrap_or_default().to_string(),
        kind: MailKind::Confirmation,
        recipient_name: "Ada Ångström".to_string(),
        recipient_address: "ada@example.org".to_string(),
        subject: "Your order".to_string(),
        text: "Dear Ada Ångström,\n\nthank you.\n".to_string(),
        reason: "validated and paid".to_string(),
        due_at: LONG_AGO,
    }
}

/// So many mails, with keys that begin like this.
pub fn mails(prefix: &str, count: usize) -> Vec<MailDue> {
    (0..count).map(|number| mail(&format!("{prefix}-{number}/confirmation"))).collect()
}

/// An order for 5.00 USD.
pub fn order(id: &str, customer_id: i64, state: OrderState) -> Order {
    let reasons = if state == OrderState::Failed { vec!["fraud: too much".to_string()] } else { Vec::new() };
    Order {
        id: id.to_string(),
        customer_id,
        state,
        product: "JUMPERS".to_string(),
        quantity: 1,
        price_minor: 500,
        currency: "USD".to_string(),
        version: 2,
        reasons,
        created_at: LONG_AGO,
        updated_at: LONG_AGO,
    }
}

/// The payment for it.
pub fn payment(order_id: &str) -> Payment {
    Payment {
        id: format!("payment-of-{order_id}"),
        order_id: order_id.to_string(),
        amount_minor: 500,
        currency: "USD".to_string(),
        paid_at: LONG_AGO,
    }
}

pub fn customer(id: i64) -> Customer {
    Customer {
        id,
        first_name: "Ada".to_string(),
        last_name: "Ångström".to_string(),
        email: format!("customer-{id}@example.org"),
        address: "1 Mill Lane".to_string(),
        level: CustomerLevel::Gold,
        version: 1,
    }
}
