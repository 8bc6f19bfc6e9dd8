use std::collections::BTreeMap;
use std::time::Duration;

use avro_codec::{AvroRecord, Schemas};
use shared_schemas::{
    CUSTOMERS, MAILS_SENT, ORDER_EXPIRATIONS, ORDER_REQUESTS, ORDERS, PAYMENTS, WAREHOUSE_INVENTORY, order_validations,
};
use sqlx::{Connection, PgConnection};
use streams::{Topic, TopicDeclaration};
use test_kit::{RawRecord, Service, eventually, infrastructure};

use crate::expected;
use crate::story::Story;

/// By when anything that a test waits for has happened, also on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub const CHECKS: [&str; 3] = ["order-details", "fraud", "inventory"];

/// The service with a database of its own; the test plays all the others.
pub struct Views {
    pub service: Service,
    pub schemas: Schemas,
    pub database_url: String,
}

/// A table, as it is compared: its rows as JSON without the number of their change, sorted.
pub type Tables = BTreeMap<&'static str, Vec<String>>;

impl Views {
    pub fn new() -> anyhow::Result<Self> {
        Self::with_database(infrastructure().database("views")?)
    }

    pub fn with_database(database_url: String) -> anyhow::Result<Self> {
        let service = Service::new(env!("CARGO_BIN_EXE_views"), &[("DATABASE_URL", &database_url)])?;
        let schemas = service.register_schemas(&topics())?;
        service.create_topics(&topics())?;
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

    /// Writes what happened to some orders.
    pub fn tell(&self, story: &Story) -> anyhow::Result<()> {
        for (topic, records) in story.records(&self.schemas)? {
            self.service.write(&topic, records)?;
        }
        Ok(())
    }

    /// Waits until everything that was said is in the tables.
    pub async fn await_applied(&self) -> anyhow::Result<()> {
        let mut ends = BTreeMap::new();
        for topic in topics() {
            for record in self.service.read_all(&topic.name)? {
                ends.insert((topic.name.clone(), record.partition), record.offset + 1);
            }
        }
        eventually("the positions are behind everything", DEADLINE, async || {
            let positions = self.positions().await.ok()?;
            ends.iter().all(|(at, end)| positions.get(at) >= Some(end)).then_some(())
        })
        .await;
        Ok(())
    }

    pub async fn positions(&self) -> anyhow::Result<BTreeMap<(String, i32), i64>> {
        let select = "SELECT topic, partition, next_offset FROM positions";
        let rows: Vec<(String, i32, i64)> = sqlx::query_as(select).fetch_all(&mut self.connection().await?).await?;
        Ok(rows.into_iter().map(|(topic, partition, next)| ((topic, partition), next)).collect())
    }

    /// A connection to the tables that are served.
    pub async fn connection(&self) -> anyhow::Result<PgConnection> {
        let mut connection = PgConnection::connect(&self.database_url).await?;
        sqlx::query("SELECT set_config('search_path', schema || ', public', false) FROM public.serving")
            .execute(&mut connection)
            .await?;
        Ok(connection)
    }

    pub async fn tables(&self) -> anyhow::Result<Tables> {
        const SELECTS: [(&str, &str); 7] = [
            ("orders", "SELECT to_jsonb(it) - 'change' FROM orders AS it"),
            ("events", "SELECT to_jsonb(it) FROM events AS it"),
            ("validations", "SELECT to_jsonb(it) - 'change' FROM validations AS it"),
            ("payments", "SELECT to_jsonb(it) - 'change' FROM payments AS it"),
            ("customers", "SELECT to_jsonb(it) - 'change' FROM customers AS it"),
            ("stock", "SELECT to_jsonb(it) - 'change' FROM stock AS it"),
            ("mails", "SELECT to_jsonb(it) - 'change' FROM mails AS it"),
        ];
        let mut connection = self.connection().await?;
        let mut tables = Tables::new();
        for (table, select) in SELECTS {
            let rows: Vec<serde_json::Value> = sqlx::query_scalar(select).fetch_all(&mut connection).await?;
            let mut rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
            rows.sort();
            tables.insert(table, rows);
        }
        Ok(tables)
    }

    /// Waits until everything is in the tables, and compares them with a fold of the log.
    pub async fn assert_equal_to_the_log(&self) -> anyhow::Result<()> {
        self.await_applied().await?;
        let (tables, expected) = (self.tables().await?, expected::fold(self)?);
        for (table, rows) in &expected {
            assert_eq!(&tables[table], rows, "{table}");
        }
        assert_eq!(tables.len(), expected.len());
        Ok(())
    }

    /// One of its figures.
    pub async fn figure(&self, name: &str) -> anyhow::Result<f64> {
        let text = reqwest::get(format!("{}/metrics", self.service.admin_url())).await?.text().await?;
        let line = text.lines().find(|line| line.starts_with(name));
        Ok(line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default())
    }

    /// Waits until its readiness page says this.
    pub async fn await_word(&self, word: &str) {
        let ready = format!("{}/readyz", self.service.admin_url());
        eventually(word, DEADLINE, async || {
            let page = reqwest::get(&ready).await.ok()?.text().await.ok()?;
            page.contains(word).then_some(())
        })
        .await;
    }
}

/// Everything that views read.
pub fn topics() -> Vec<TopicDeclaration> {
    let mut topics = vec![
        ORDER_REQUESTS.declaration(),
        ORDER_EXPIRATIONS.declaration(),
        ORDERS.declaration(),
        PAYMENTS.declaration(),
        CUSTOMERS.declaration(),
        WAREHOUSE_INVENTORY.declaration(),
        MAILS_SENT.declaration(),
    ];
    topics.extend(CHECKS.map(|check| order_validations(check).declaration()));
    topics
}
