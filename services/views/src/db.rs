//! The tables, and the one way in which they are written.
//!
//! What is served stands in the row `serving`: a schema, in which all tables of one generation are. A transaction first
//! holds that row, then has the schema searched, so that every statement is the same for all generations.

pub mod read;
mod tables;
mod write;

use std::str::FromStr;
use std::time::Duration;

use service_kit::TopicPartition;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

pub use tables::{LAYOUT, create_tables, drop_tables};
pub use write::{Move, notify, upsert};

/// The database of the service.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
}

/// Why something was not done.
#[derive(Debug)]
pub enum Trouble {
    Database(sqlx::Error),
    /// The tables that are served were made by another version of this program.
    OtherLayout,
    /// Somebody else has moved a position meanwhile.
    Conflict,
}

/// What is said where the tables do not fit.
pub const OTHER_LAYOUT: &str = "the tables were made by another version of this program: run `views rebuild`";

/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

impl Db {
    /// A few connections, each made when it is needed first.
    ///
    /// # Errors
    /// The URL is none.
    pub fn new(url: &str, connections: u32) -> sqlx::Result<Self> {
        let options = PgConnectOptions::from_str(url)?.options([
            // Pages have seen what a transaction wrote, and go on behind it: so none is lost, whatever the server's default.
            ("synchronous_commit", "on"),
            // A process that stands still holds up nobody for longer.
            ("idle_in_transaction_session_timeout", "5s"),
            ("statement_timeout", "10s"),
        ]);
        let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
        Ok(Self { pool: pool.connect_lazy_with(options) })
    }

    /// Makes the tables, if there are none yet.
    ///
    /// # Errors
    /// Those that are there do not fit.
    pub async fn prepare(&self) -> Result<(), Trouble> {
        // Over a connection that ends with this call, whatever becomes of it: the lock that is taken is the session's.
        let options = PgConnectOptions::clone(&self.pool.connect_options());
        let alone = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_lazy_with(options);
        sqlx::migrate!().run(&alone).await.map_err(sqlx::Error::from)?;
        alone.close().await;
        let mut transaction = self.pool.begin().await?;
        let served: Option<String> =
            sqlx::query_scalar("SELECT schema FROM public.serving").fetch_optional(&mut *transaction).await?;
        if served.is_none() {
            // Another instance may be here at the same moment.
            sqlx::query("LOCK TABLE public.serving IN EXCLUSIVE MODE").execute(&mut *transaction).await?;
            tables::serve_first(&mut transaction).await?;
        }
        hold_served(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// The positions of these partitions: everything before is in the tables. Of those that were never read there is none.
    pub async fn positions(&self, partitions: &[TopicPartition]) -> Result<Vec<(TopicPartition, i64)>, Trouble> {
        const KNOW: &str = "INSERT INTO positions (topic, partition, next_offset)
            SELECT topic, partition, 0 FROM UNNEST($1::text[], $2::integer[]) AS assigned (topic, partition)
            ON CONFLICT (topic, partition) DO NOTHING";
        const SELECT: &str = "SELECT topic, partition, next_offset FROM positions";

        let (mut transaction, _) = self.begin_write().await?;
        sqlx::query(KNOW)
            .bind(partitions.iter().map(|at| &*at.topic).collect::<Vec<_>>())
            .bind(partitions.iter().map(|at| at.partition).collect::<Vec<_>>())
            .execute(&mut *transaction)
            .await?;
        let known: Vec<(String, i32, i64)> = sqlx::query_as(SELECT).fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        let known =
            known.into_iter().map(|(topic, partition, next)| (TopicPartition { topic: topic.into(), partition }, next));
        Ok(known.filter(|(at, _)| partitions.contains(at)).collect())
    }

    /// Begins a transaction that writes the tables that are served, and names their schema. Nobody switches to others before
    /// it ends.
    ///
    /// # Errors
    /// They do not fit.
    pub async fn begin_write(&self) -> Result<(Transaction<'static, Postgres>, String), Trouble> {
        let mut transaction = self.pool.begin().await?;
        let schema = hold_served(&mut transaction).await?;
        Ok((transaction, schema))
    }
}

/// Holds the tables that are served until the end of the transaction, and has them searched.
async fn hold_served(transaction: &mut PgConnection) -> Result<String, Trouble> {
    const HOLD: &str = "SELECT schema, layout = md5($1) FROM public.serving FOR SHARE";
    let (schema, fits): (String, bool) = sqlx::query_as(HOLD).bind(tables::LAYOUT).fetch_one(&mut *transaction).await?;
    if !fits {
        return Err(Trouble::OtherLayout);
    }
    search(transaction, &schema).await?;
    Ok(schema)
}

/// Has the tables of a schema meant by their bare names, until the end of the transaction.
pub async fn search(transaction: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
    sqlx::query("SELECT set_config('search_path', $1, true)").bind(schema).execute(transaction).await.map(drop)
}

/// Whether the database refuses what is to be written, and will whenever it is asked (classes 22, 23 and 54: data,
/// constraints, limits).
pub fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
