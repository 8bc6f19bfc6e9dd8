use std::collections::BTreeMap;
use std::time::Duration;

use avro_codec::Schemas;
use shared_schemas::{EMAIL_OUTBOX, MailDue, MailKind};
use sqlx::{Connection, PgConnection};
use streams::Timestamp;
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
        let database_url = infrastructure().database("email")?;
        let settings = [&[("DATABASE_URL", &*database_url)], settings].concat();
        let service = Service::new(env!("CARGO_BIN_EXE_email"), &settings)?;
        let schemas = service.register_schemas(&[])?;
        service.create_topics(&[])?;
        Ok(Self { service, schemas, database_url })
    }

    pub fn started(self) -> anyhow::Result<Self> {
        self.service.start()?;
        Ok(self)
    }

    /// Writes mails as the join does.
    pub fn write(&self, mails: &[MailDue]) -> anyhow::Result<Vec<RawRecord>> {
        let records = mails.iter().map(|mail| RawRecord::of(&EMAIL_OUTBOX, &self.schemas, mail));
        self.service.write(EMAIL_OUTBOX.name(), records.collect::<anyhow::Result<_>>()?)
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
