//! What is read of the view: each question in one snapshot of the tables that serve.

mod changes;
mod customers;
pub mod documents;
mod mails;
mod minutes;
mod orders;
mod positions;
mod stock;

use std::str::FromStr;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Acquire, Connection, PgConnection, PgPool, Postgres};
use thiserror::Error;

pub use changes::{Changed, News, Position, Since};
pub use customers::CustomerSummary;
pub use mails::MailList;
pub use minutes::MinuteCounts;
pub use orders::{OrderList, OrderStory};
pub use positions::Positions;
pub use stock::StockList;

use super::OTHER_LAYOUT;
use super::tables::LAYOUT;

/// Something that is asked of the view.
pub trait Question: Sync {
    type Answer: Send;

    /// Asks it in a transaction that sees the tables that serve, and all of them at one moment.
    fn asked(&self, view: &mut PgConnection) -> impl Future<Output = sqlx::Result<Self::Answer>> + Send;
}

/// The view as its readers see it.
#[derive(Clone, Debug)]
pub struct Reads {
    options: PgConnectOptions,
    pool: PgPool,
}

/// Why a question is not answered.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("the database does not answer: {0}")]
    Away(sqlx::Error),
    #[error("there are no tables yet")]
    NoTables,
    #[error("{OTHER_LAYOUT}")]
    OtherLayout,
    #[error("the database refuses a question: {0}")]
    Refused(sqlx::Error),
}

/// Readers at a time; others wait for a connection.
const CONNECTIONS: u32 = 6;
/// How long the database may take for anything it is asked.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection is waited for.
const CONNECTING: Duration = Duration::from_secs(3);
/// Where writers say that something has changed.
const CHANGES: &str = "changes";

impl Reads {
    /// Connects at the first question. The URL is one: with another the projector ends the process.
    pub fn new(url: &str) -> Self {
        let options = PgConnectOptions::from_str(url).unwrap_or_default().options([
            // What is not asked for, such as a filter, must not be planned for.
            ("plan_cache_mode", "force_custom_plan"),
            // A question that nobody waits for any more ends as well.
            ("statement_timeout", "10s"),
        ]);
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECTING);
        Self { pool: pool.connect_lazy_with(options.clone()), options }
    }

    /// Asks a question.
    ///
    /// # Errors
    /// It is not answered for now, or never.
    pub async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer, ReadError> {
        in_time(async {
            let mut connection: PoolConnection<Postgres> = self.pool.acquire().await?;
            on(&mut connection, question).await
        })
        .await
    }

    /// A connection of its own that hears of changes.
    ///
    /// # Errors
    /// The database is away.
    pub async fn listening(&self) -> Result<Listener, ReadError> {
        // A pool of its own goes with it, in whatever state the connection is.
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECTING);
        let pool = pool.idle_timeout(None).max_lifetime(None).connect_lazy_with(self.options.clone());
        in_time(async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANGES).await?;
            Ok(Listener(listener))
        })
        .await
    }
}

/// A connection that hears of changes.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// Waits for word of a change, and returns the last of those that have come. Cancel safe.
    ///
    /// # Errors
    /// The connection is gone: words may have been missed.
    pub async fn heard(&mut self) -> Result<Option<Position>, ReadError> {
        let gone = || ReadError::Away(sqlx::Error::WorkerCrashed);
        let mut last = self.0.try_recv().await?.ok_or_else(gone)?.payload().parse().ok();
        // None is left behind, however fast they come.
        while let Some(next) = self.0.try_recv().now_or_never() {
            last = next?.ok_or_else(gone)?.payload().parse().ok().or(last);
        }
        Ok(last)
    }

    /// Asks a question over this connection.
    ///
    /// # Errors
    /// It is not answered for now, or never.
    pub async fn ask<Q: Question>(&mut self, question: &Q) -> Result<Q::Answer, ReadError> {
        in_time(async { on(self.0.acquire().await?, question).await }).await
    }
}

async fn on<Q: Question>(connection: &mut PgConnection, question: &Q) -> Result<Q::Answer, ReadError> {
    match once(connection, question).await {
        // A rebuild has dropped the tables that we were about to read: others serve now.
        Err(ReadError::NoTables) => once(connection, question).await,
        answer => answer,
    }
}

async fn once<Q: Question>(connection: &mut PgConnection, question: &Q) -> Result<Q::Answer, ReadError> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    const ENTER: &str = "SELECT layout = md5($1), set_config('search_path', schema, true) FROM public.serving";

    let mut view = connection.begin_with(BEGIN).await?;
    let entered: Option<(bool, String)> = sqlx::query_as(ENTER).bind(LAYOUT).fetch_optional(&mut *view).await?;
    let (is_ours, _) = entered.ok_or(ReadError::NoTables)?;
    if !is_ours {
        return Err(ReadError::OtherLayout);
    }
    let answer = question.asked(&mut view).await?;
    view.commit().await?;
    Ok(answer)
}

/// A database that stands still is as good as away.
async fn in_time<T>(asked: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(ReadError::Away(sqlx::Error::PoolTimedOut)))
}

impl ReadError {
    /// What is said of it outside.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Away(_) => "the database does not answer",
            Self::NoTables => "there are no tables yet",
            Self::OtherLayout => OTHER_LAYOUT,
            Self::Refused(_) => "the database refuses a question; the log says which",
        }
    }
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{
            ColumnDecode, ColumnIndexOutOfBounds, ColumnNotFound, Database, Decode, Encode, TypeNotFound,
        };
        let Database(refusal) = &error else {
            let is_ours = matches!(
                error,
                ColumnDecode { .. }
                    | ColumnIndexOutOfBounds { .. }
                    | ColumnNotFound(_)
                    | Decode(_)
                    | Encode(_)
                    | TypeNotFound { .. }
            );
            return if is_ours { Self::Refused(error) } else { Self::Away(error) };
        };
        // https://www.postgresql.org/docs/current/errcodes-appendix.html
        match refusal.code().as_deref() {
            Some("42P01" | "3F000") => Self::NoTables,
            Some(code) if code.starts_with("22") || code.starts_with("42") => Self::Refused(error),
            _ => Self::Away(error),
        }
    }
}
