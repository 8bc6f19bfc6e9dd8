use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::str::FromStr;
use std::task::Poll;

use anyhow::{Context, bail};
use service_kit::{SinkRecord, TopicPartition, failure_point};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::copy::{CHANGE, Portion};
use super::progress::say;
use super::replay::leave_out;
use crate::db::{self, Db, Trouble};
use crate::domain::Rows;
use crate::log::Reader;
use crate::options::Options;

/// Tables in the making. There is one connection, which holds the lock that makes this the only rebuild: if it breaks, so does
/// the rebuild.
#[derive(Debug)]
pub struct Building {
    connection: PgConnection,
    reader: Reader,
    pub schema: String,
    /// How many records the database refused.
    pub refused: u64,
}

/// The transaction that has everybody read and write the new tables. As long as it is open nobody writes.
#[derive(Debug)]
pub struct Switch<'b> {
    transaction: Transaction<'b, Postgres>,
    schema: &'b str,
    /// The tables that are served so far.
    pub served: String,
    /// Where they stand.
    pub positions: BTreeMap<TopicPartition, i64>,
}

/// Of the lock that a rebuild holds.
const LOCK: i64 = 0x7EB0_11D5;
const INDEXES: &str = include_str!("../indexes.sql");
const LOCK_NOT_AVAILABLE: &str = "55P03";

impl Building {
    /// Makes empty tables, beside those that are served.
    pub async fn begin(options: &Options) -> anyhow::Result<Self> {
        let url = &options.database_url;
        let name = format!("views rebuild, process {}", std::process::id());
        let connecting = PgConnectOptions::from_str(url)?.application_name(&name).options([
            // Until the switch nothing is lost with it that cannot be made again.
            ("synchronous_commit", "off"),
            // Whoever waits for a lock on the tables that are served holds up all who come after.
            ("lock_timeout", "5s"),
            ("statement_timeout", "0"),
            // If the process stands still, or is gone, the server notices: else it would go on holding the locks.
            ("idle_in_transaction_session_timeout", "30s"),
            ("client_connection_check_interval", "1s"),
            ("maintenance_work_mem", "256MB"),
        ]);
        let mut connection = PgConnection::connect_with(&connecting).await.context("the database cannot be reached")?;
        lock(&mut connection).await?;
        match Db::new(url, 1)?.prepare().await {
            Err(Trouble::Database(error)) => return Err(error).context("the tables cannot be prepared"),
            // Another layout is what a rebuild is for.
            Ok(()) | Err(Trouble::OtherLayout | Trouble::Conflict) => {}
        }
        drop_leftovers(&mut connection).await?;
        let mut transaction = connection.begin().await?;
        let schema = db::create_tables(&mut transaction).await?;
        transaction.commit().await?;
        sqlx::query("SELECT set_config('search_path', $1, false)").bind(&schema).execute(&mut connection).await?;
        say(&format!("building {schema}"));
        Ok(Self { connection, reader: Reader::new(options), schema, refused: 0 })
    }

    /// Adds to the tables. If the database refuses a record, that one is left out.
    pub async fn write(&mut self, portion: &Portion) -> sqlx::Result<()> {
        match self.copy(portion).await {
            Err(error) if db::is_about_data(&error) => self.halve(&portion.records).await?,
            copied => copied?,
        }
        failure_point("rebuild-after-copy");
        Ok(())
    }

    /// Writes what can be written of these records: by halves, until what is refused is one record.
    pub async fn halve(&mut self, records: &[SinkRecord]) -> sqlx::Result<()> {
        let mut parts = vec![records];
        while let Some(part) = parts.pop() {
            // What cannot be read was left out before.
            let events = part.iter().filter_map(|record| self.reader.event(record).ok());
            match (self.upsert(&Rows::of(events)).await, part) {
                (Err(error), [record]) if db::is_about_data(&error) => {
                    leave_out(record, &error);
                    self.refused += 1;
                }
                (Err(error), _) if db::is_about_data(&error) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                (written, _) => written?,
            }
        }
        Ok(())
    }

    async fn upsert(&mut self, rows: &Rows) -> sqlx::Result<()> {
        let mut transaction = self.connection.begin().await?;
        db::upsert(&mut transaction, rows, CHANGE).await?;
        transaction.commit().await
    }

    async fn copy(&mut self, portion: &Portion) -> sqlx::Result<()> {
        let mut transaction = self.connection.begin().await?;
        // These first, since they may remove what is added anew.
        db::upsert(&mut transaction, &portion.upserts, CHANGE).await?;
        for copy in &portion.copies {
            let mut stream = transaction.copy_in_raw(copy.statement).await?;
            stream.send(&*copy.bytes).await?;
            stream.finish().await?;
        }
        transaction.commit().await
    }

    /// Makes the indexes, and has the tables counted for those who plan queries.
    pub async fn make_indexes(&mut self) -> sqlx::Result<()> {
        failure_point("rebuild-before-indexes");
        let statements: Vec<&'static str> = INDEXES.split(';').filter(|text| text.contains("CREATE")).collect();
        for (number, statement) in (1..).zip(&statements) {
            sqlx::raw_sql(*statement).execute(&mut self.connection).await?;
            say(&format!("index {number} of {} made", statements.len()));
        }
        let analyze = "ANALYZE orders, events, validations, payments, customers, stock, mails";
        sqlx::raw_sql(analyze).execute(&mut self.connection).await.map(drop)
    }

    /// Where the tables stand that are served.
    pub async fn served_positions(&mut self) -> sqlx::Result<BTreeMap<TopicPartition, i64>> {
        let mut transaction = self.connection.begin().await?;
        let (_, positions) = served(&mut transaction).await?;
        transaction.rollback().await?;
        Ok(positions)
    }

    /// Begins the switch, when all who write have ended what they have begun; nothing, if they take too long.
    pub async fn switch(&mut self) -> sqlx::Result<Option<Switch<'_>>> {
        // Those who write hold the row shared, and one after the other might hold it for ever: the lock of the table has a
        // queue. Those who read do not notice.
        const ALONE: &str = "LOCK TABLE public.serving IN EXCLUSIVE MODE";

        let mut transaction = self.connection.begin().await?;
        match sqlx::query(ALONE).execute(&mut *transaction).await {
            Err(error) if is_lock_timeout(&error) => return transaction.rollback().await.map(|()| None),
            locked => locked?,
        };
        let (served, positions) = served(&mut transaction).await?;
        Ok(Some(Switch { transaction, schema: &self.schema, served, positions }))
    }

    /// Drops the tables that were served before. Who still reads them reads to the end.
    pub async fn drop_tables(&mut self, schema: &str) -> sqlx::Result<()> {
        drop_tables(&mut self.connection, schema).await
    }
}

impl Switch<'_> {
    /// Adds the last rows, and has the new tables served.
    pub async fn commit(mut self, rows: &Rows, positions: &BTreeMap<TopicPartition, i64>) -> sqlx::Result<()> {
        const STAND: &str = "INSERT INTO positions (topic, partition, next_offset)
            SELECT * FROM UNNEST($1::text[], $2::integer[], $3::bigint[])";
        const SERVE: &str = "UPDATE public.serving SET schema = $1, layout = md5($2)";

        let transaction = &mut *self.transaction;
        db::search(transaction, self.schema).await?;
        db::upsert(transaction, rows, CHANGE).await?;
        sqlx::query(STAND)
            .bind(positions.keys().map(|at| &*at.topic).collect::<Vec<_>>())
            .bind(positions.keys().map(|at| at.partition).collect::<Vec<_>>())
            .bind(positions.values().copied().collect::<Vec<_>>())
            .execute(&mut *transaction)
            .await?;
        sqlx::query(SERVE).bind(self.schema).bind(db::LAYOUT).execute(&mut *transaction).await?;
        db::notify(transaction, self.schema, CHANGE).await?;
        sqlx::query("SET LOCAL synchronous_commit = on").execute(&mut *transaction).await?;
        failure_point("rebuild-before-switch");
        let mut commit = pin!(self.transaction.commit());
        let sent = poll_fn(|context| Poll::Ready(commit.as_mut().poll(context))).await;
        failure_point("rebuild-switch-sent");
        match sent {
            Poll::Ready(committed) => committed,
            Poll::Pending => commit.await,
        }
    }

    /// Leaves everything as it was.
    pub async fn cancel(self) -> sqlx::Result<()> {
        self.transaction.rollback().await
    }
}

/// Takes the lock for as long as the connection lives, or says who has it.
async fn lock(connection: &mut PgConnection) -> anyhow::Result<()> {
    const WHO: &str = "
        SELECT application_name, coalesce(client_addr::text, 'this machine'), backend_start::text
        FROM pg_stat_activity JOIN pg_locks USING (pid)
        WHERE locktype = 'advisory' AND granted AND objid::bigint = $1 AND datname = current_database()";

    let is_ours: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *connection).await?;
    if is_ours {
        return Ok(());
    }
    let other: Option<(String, String, String)> = sqlx::query_as(WHO).bind(LOCK).fetch_optional(connection).await?;
    match other {
        Some((name, address, since)) => bail!("another is at work: {name}, from {address}, since {since}"),
        None => bail!("another was at work until just now: try again"),
    }
}

/// Drops what was left behind by those that were interrupted: nobody else makes tables now.
async fn drop_leftovers(connection: &mut PgConnection) -> sqlx::Result<()> {
    const LEFTOVERS: &str = "
        SELECT nspname::text FROM pg_namespace
        WHERE nspname ~ '^view_[0-9]+$' AND nspname NOT IN (SELECT schema FROM public.serving)";

    let leftovers: Vec<String> = sqlx::query_scalar(LEFTOVERS).fetch_all(&mut *connection).await?;
    for schema in leftovers {
        drop_tables(connection, &schema).await?;
    }
    Ok(())
}

/// Drops tables that are not served, or leaves them to the next rebuild if somebody goes on reading them.
async fn drop_tables(connection: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
    match db::drop_tables(connection, schema).await {
        Err(error) if is_lock_timeout(&error) => {
            tracing::warn!(schema, "tables that nobody needs are still read, and left to the next rebuild");
            Ok(())
        }
        dropped => dropped,
    }
}

/// The tables that are served, and where they stand.
async fn served(transaction: &mut PgConnection) -> sqlx::Result<(String, BTreeMap<TopicPartition, i64>)> {
    let served: String = sqlx::query_scalar("SELECT schema FROM public.serving").fetch_one(&mut *transaction).await?;
    db::search(&mut *transaction, &served).await?;
    let positions: Vec<(String, i32, i64)> =
        sqlx::query_as("SELECT topic, partition, next_offset FROM positions").fetch_all(transaction).await?;
    let positions = positions.into_iter();
    let positions =
        positions.map(|(topic, partition, next)| (TopicPartition { topic: topic.into(), partition }, next)).collect();
    Ok((served, positions))
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}
