use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use local::{Interrupt, Stack};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::runtime::Runtime;

use crate::journeys::{self, EVENTS_OF_AN_ORDER};
use crate::process::cpu_time_of_tree;
use crate::report::{Figure, Outcome, Report, doing, say};

const NUMBER_OF_ORDERS: usize = 1_000_000;
const LEAST_PART_OF_COPY: f64 = 0.5;
const TABLES: [&str; 7] = ["orders", "events", "validations", "payments", "customers", "stock", "mails"];
const LAYOUT: &str = include_str!("../../../services/views/src/layout.sql");
const INDEXES: &str = include_str!("../../../services/views/src/indexes.sql");

/// Has the tables of views built from a log, and then copies the same rows from files into the same tables, with the same
/// indexes made behind them.
pub(crate) fn run(interrupt: &Interrupt, report: &mut Report) -> anyhow::Result<()> {
    // The topics of the other checks are those of services that are not started.
    let builder = Stack::builder().only(["views"]).env("views", "CHECKS", "order-details");
    let stack = builder.interrupt(interrupt.clone()).start()?;
    let (views, postgres) = (stack.part("views"), stack.part("postgres"));
    // It would apply the log itself.
    views.stop();
    let events = NUMBER_OF_ORDERS * EVENTS_OF_AN_ORDER;
    doing(&format!("  {events} events are in the log"), || journeys::tell(&stack, NUMBER_OF_ORDERS))?;

    let database = postgres.pid().context("postgres runs")?;
    let before = cpu_time_of_tree(database)?;
    let began = Instant::now();
    let rebuilt = views.run(&["rebuild"])?;
    let rebuild = began.elapsed();
    let used = cpu_time_of_tree(database)? - before;
    say(&String::from_utf8_lossy(&rebuilt.stdout));
    ensure!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));

    let addresses = stack.addresses();
    let (server, _) = addresses.postgres_url.rsplit_once('/').context("the address of a database")?;
    let mut database = Database::at(&format!("{server}/views"))?;
    let rows = doing("  the rows are in files", || database.export())?;
    let copy = database.copy()?;
    let ratio = copy.as_secs_f64() / rebuild.as_secs_f64();
    report.add(Figure {
        what: format!("tables of {NUMBER_OF_ORDERS} orders rebuilt from {events} events"),
        bar: format!("≥ {LEAST_PART_OF_COPY} × a plain COPY"),
        value: format!("{:.1} s, {ratio:.2} ×", rebuild.as_secs_f64()),
        beside: format!(
            "COPY of the same {rows} rows, and the indexes: {:.1} s; the rebuild took {:.1} s of postgres",
            copy.as_secs_f64(),
            used.as_secs_f64()
        ),
        outcome: Outcome::of(ratio >= LEAST_PART_OF_COPY),
    });
    Ok(())
}

/// The database of views, with somebody who may do everything.
struct Database {
    runtime: Runtime,
    connection: PgConnection,
    /// Where its server can write files.
    directory: String,
}

impl Database {
    fn at(url: &str) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut connection = runtime.block_on(PgConnection::connect(url))?;
        let directory = sqlx::query_scalar("SHOW data_directory").fetch_one(&mut connection);
        let directory = runtime.block_on(directory)?;
        Ok(Self { runtime, connection, directory })
    }

    /// Writes the tables that are served to files, and counts their rows.
    fn export(&mut self) -> anyhow::Result<u64> {
        let served = sqlx::query_scalar("SELECT schema FROM serving").fetch_one(&mut self.connection);
        let served: String = self.runtime.block_on(served)?;
        let mut rows = 0;
        for table in TABLES {
            let file = self.file(table);
            rows += self.execute(format!("COPY {served}.{table} TO '{file}' (FORMAT binary)"))?;
        }
        Ok(rows)
    }

    /// Copies the files into new tables, and makes the indexes.
    fn copy(&mut self) -> anyhow::Result<Duration> {
        // As a rebuild has it, too.
        self.execute("SET maintenance_work_mem = '256MB'; CREATE SCHEMA plain; SET search_path = plain".to_string())?;
        self.execute(LAYOUT.to_string())?;
        let began = Instant::now();
        for table in TABLES {
            let file = self.file(table);
            self.execute(format!("COPY {table} FROM '{file}' (FORMAT binary)"))?;
            say(&format!("  {table} copied after {:.1} s", began.elapsed().as_secs_f64()));
        }
        self.execute(INDEXES.to_string())?;
        Ok(began.elapsed())
    }

    fn file(&self, table: &str) -> String {
        format!("{}/{table}.copy", self.directory)
    }

    fn execute(&mut self, statements: String) -> anyhow::Result<u64> {
        // Nothing in them comes from outside.
        let executed = sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut self.connection);
        Ok(self.runtime.block_on(executed)?.rows_affected())
    }
}
