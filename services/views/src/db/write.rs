//! The statements of a transaction that writes. Each is about many rows at once.

use std::io;

use service_kit::{TopicPartition, failure_claimed, failure_point};
use sqlx::PgConnection;

use super::{Db, Trouble};
use crate::domain::{CustomerRow, EventRow, MailRow, OrderRow, PaymentRow, Rows, StockRow, ValidationRow};

/// How a position moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub at: TopicPartition,
    pub from: i64,
    pub to: i64,
}

impl Db {
    /// Writes rows, and moves the positions behind the events they come from, in one transaction.
    ///
    /// # Errors
    /// Nothing was written; but for an error of the database at the end, when it may have been: the positions tell.
    pub async fn write(&self, rows: &Rows, moves: &[Move]) -> Result<(), Trouble> {
        let (mut transaction, schema) = self.begin_write().await?;
        let change = next_change(&mut transaction).await?;
        if !move_positions(&mut transaction, moves).await? {
            return Err(Trouble::Conflict);
        }
        upsert(&mut transaction, rows, change).await?;
        notify(&mut transaction, &schema, change).await?;
        failure_point("after-writes");
        transaction.commit().await?;
        failure_point("after-commit");
        if failure_claimed("commit-answer-lost") {
            return Err(sqlx::Error::from(io::Error::from(io::ErrorKind::ConnectionReset)).into());
        }
        Ok(())
    }
}

/// Takes the row that lets one transaction write at a time, and returns the number of this one.
async fn next_change(transaction: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("UPDATE feed SET change = change + 1 RETURNING change").fetch_one(transaction).await
}

/// Moves positions, if all of them are where they are said to be.
async fn move_positions(transaction: &mut PgConnection, moves: &[Move]) -> sqlx::Result<bool> {
    const MOVE: &str = "
        UPDATE positions SET next_offset = moved.upto
        FROM UNNEST($1::text[], $2::integer[], $3::bigint[], $4::bigint[]) AS moved (topic, partition, since, upto)
        WHERE positions.topic = moved.topic AND positions.partition = moved.partition
          AND positions.next_offset = moved.since";

    let moved = sqlx::query(MOVE)
        .bind(moves.iter().map(|it| &*it.at.topic).collect::<Vec<_>>())
        .bind(moves.iter().map(|it| it.at.partition).collect::<Vec<_>>())
        .bind(moves.iter().map(|it| it.from).collect::<Vec<_>>())
        .bind(moves.iter().map(|it| it.to).collect::<Vec<_>>())
        .execute(transaction)
        .await?;
    Ok(usize::try_from(moved.rows_affected()) == Ok(moves.len()))
}

/// Tells whoever listens of this change, if it is committed.
pub async fn notify(transaction: &mut PgConnection, schema: &str, change: i64) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_notify('changes', $1)")
        .bind(format!("{schema}-{change}"))
        .execute(transaction)
        .await
        .map(drop)
}

/// Writes rows where the tables have none that are as new.
pub async fn upsert(transaction: &mut PgConnection, rows: &Rows, change: i64) -> sqlx::Result<()> {
    orders(transaction, &rows.orders, change).await?;
    events(transaction, &rows.events).await?;
    validations(transaction, &rows.validations).await?;
    payments(transaction, &rows.payments, change).await?;
    mails(transaction, &rows.mails, change).await?;
    customers(transaction, &rows.gone_customers, &rows.customers, change).await?;
    stock(transaction, &rows.gone_products, &rows.stock, change).await
}

async fn orders(transaction: &mut PgConnection, rows: &[OrderRow], change: i64) -> sqlx::Result<()> {
    const UPSERT: &str = "
        INSERT INTO orders (id, customer_id, state, product, quantity, price_minor, currency, reasons, version,
            created_at_ms, updated_at_ms, change)
        SELECT id, customer_id, state, product, quantity, price_minor, currency, reasons::text[], version,
            created_at_ms, updated_at_ms, $12
        FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::text[], $8::text[],
            $9::integer[], $10::bigint[], $11::bigint[])
            AS new (id, customer_id, state, product, quantity, price_minor, currency, reasons, version, created_at_ms,
                updated_at_ms)
        ON CONFLICT (id) DO UPDATE
        SET customer_id = EXCLUDED.customer_id, state = EXCLUDED.state, product = EXCLUDED.product,
            quantity = EXCLUDED.quantity, price_minor = EXCLUDED.price_minor, currency = EXCLUDED.currency,
            reasons = EXCLUDED.reasons, version = EXCLUDED.version, created_at_ms = EXCLUDED.created_at_ms,
            updated_at_ms = EXCLUDED.updated_at_ms, change = EXCLUDED.change
        WHERE orders.version < EXCLUDED.version";

    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(UPSERT)
        .bind(column(rows, |row| &*row.id))
        .bind(column(rows, |row| row.customer_id))
        .bind(column(rows, |row| row.state))
        .bind(column(rows, |row| &*row.product))
        .bind(column(rows, |row| row.quantity))
        .bind(column(rows, |row| row.price_minor))
        .bind(column(rows, |row| &*row.currency))
        .bind(column(rows, |row| array_literal(&row.reasons)))
        .bind(column(rows, |row| row.version))
        .bind(column(rows, |row| row.created_at_ms))
        .bind(column(rows, |row| row.updated_at_ms))
        .bind(change)
        .execute(transaction)
        .await
        .map(drop)
}

async fn events(transaction: &mut PgConnection, rows: &[EventRow]) -> sqlx::Result<()> {
    const INSERT: &str = r#"
        INSERT INTO events (topic, partition, "offset", order_id, what, note, happened_at_ms, processed_at_ms, traceparent)
        SELECT * FROM UNNEST($1::text[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[],
            $8::bigint[], $9::text[])
        ON CONFLICT (topic, partition, "offset") DO NOTHING"#;

    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT)
        .bind(column(rows, |row| &*row.topic))
        .bind(column(rows, |row| row.partition))
        .bind(column(rows, |row| row.offset))
        .bind(column(rows, |row| &*row.order_id))
        .bind(column(rows, |row| &*row.what))
        .bind(column(rows, |row| &*row.note))
        .bind(column(rows, |row| row.happened_at_ms))
        .bind(column(rows, |row| row.processed_at_ms))
        .bind(column(rows, |row| row.traceparent.as_deref()))
        .execute(transaction)
        .await
        .map(drop)
}

async fn validations(transaction: &mut PgConnection, rows: &[ValidationRow]) -> sqlx::Result<()> {
    const UPSERT: &str = r#"
        INSERT INTO validations (order_id, check_name, result, reason, checked_at_ms, "offset")
        SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
        ON CONFLICT (order_id, check_name) DO UPDATE
        SET result = EXCLUDED.result, reason = EXCLUDED.reason, checked_at_ms = EXCLUDED.checked_at_ms,
            "offset" = EXCLUDED."offset"
        WHERE validations."offset" < EXCLUDED."offset""#;

    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(UPSERT)
        .bind(column(rows, |row| &*row.order_id))
        .bind(column(rows, |row| &*row.check_name))
        .bind(column(rows, |row| row.result))
        .bind(column(rows, |row| row.reason.as_deref()))
        .bind(column(rows, |row| row.checked_at_ms))
        .bind(column(rows, |row| row.offset))
        .execute(transaction)
        .await
        .map(drop)
}

async fn payments(transaction: &mut PgConnection, rows: &[PaymentRow], change: i64) -> sqlx::Result<()> {
    const INSERT: &str = "
        INSERT INTO payments (id, order_id, amount_minor, currency, paid_at_ms, change)
        SELECT new.*, $6 FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[]) AS new
        ON CONFLICT (id) DO NOTHING";

    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT)
        .bind(column(rows, |row| &*row.id))
        .bind(column(rows, |row| &*row.order_id))
        .bind(column(rows, |row| row.amount_minor))
        .bind(column(rows, |row| &*row.currency))
        .bind(column(rows, |row| row.paid_at_ms))
        .bind(change)
        .execute(transaction)
        .await
        .map(drop)
}

async fn mails(transaction: &mut PgConnection, rows: &[MailRow], change: i64) -> sqlx::Result<()> {
    const INSERT: &str = "
        INSERT INTO mails (id, order_id, kind, subject, sent_at_ms, change)
        SELECT new.*, $6 FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS new
        ON CONFLICT (id) DO NOTHING";

    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT)
        .bind(column(rows, |row| &*row.id))
        .bind(column(rows, |row| &*row.order_id))
        .bind(column(rows, |row| row.kind))
        .bind(column(rows, |row| &*row.subject))
        .bind(column(rows, |row| row.sent_at_ms))
        .bind(change)
        .execute(transaction)
        .await
        .map(drop)
}

async fn customers(
    transaction: &mut PgConnection,
    gone: &[i64],
    rows: &[CustomerRow],
    change: i64,
) -> sqlx::Result<()> {
    const UPSERT: &str = "
        INSERT INTO customers (id, first_name, last_name, email, address, level, version, change)
        SELECT new.*, $8
        FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[]) AS new
        ON CONFLICT (id) DO UPDATE
        SET first_name = EXCLUDED.first_name, last_name = EXCLUDED.last_name, email = EXCLUDED.email,
            address = EXCLUDED.address, level = EXCLUDED.level, version = EXCLUDED.version, change = EXCLUDED.change
        WHERE customers.version < EXCLUDED.version";

    if !gone.is_empty() {
        sqlx::query("DELETE FROM customers WHERE id = ANY($1)").bind(gone).execute(&mut *transaction).await?;
    }
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(UPSERT)
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| &*row.first_name))
        .bind(column(rows, |row| &*row.last_name))
        .bind(column(rows, |row| &*row.email))
        .bind(column(rows, |row| &*row.address))
        .bind(column(rows, |row| row.level))
        .bind(column(rows, |row| row.version))
        .bind(change)
        .execute(transaction)
        .await
        .map(drop)
}

async fn stock(transaction: &mut PgConnection, gone: &[String], rows: &[StockRow], change: i64) -> sqlx::Result<()> {
    const UPSERT: &str = "
        INSERT INTO stock (product, on_hand, reserved, version, updated_at_ms, change)
        SELECT new.*, $6 FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::integer[], $5::bigint[]) AS new
        ON CONFLICT (product) DO UPDATE
        SET on_hand = EXCLUDED.on_hand, reserved = EXCLUDED.reserved, version = EXCLUDED.version,
            updated_at_ms = EXCLUDED.updated_at_ms, change = EXCLUDED.change
        WHERE stock.version < EXCLUDED.version";

    if !gone.is_empty() {
        sqlx::query("DELETE FROM stock WHERE product = ANY($1)").bind(gone).execute(&mut *transaction).await?;
    }
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(UPSERT)
        .bind(column(rows, |row| &*row.product))
        .bind(column(rows, |row| row.on_hand))
        .bind(column(rows, |row| row.reserved))
        .bind(column(rows, |row| row.version))
        .bind(column(rows, |row| row.updated_at_ms))
        .bind(change)
        .execute(transaction)
        .await
        .map(drop)
}

fn column<'a, R, C>(rows: &'a [R], of: impl Fn(&'a R) -> C) -> Vec<C> {
    rows.iter().map(of).collect()
}

/// A list of texts as PostgreSQL reads a `text[]`: UNNEST takes no lists of different lengths.
fn array_literal(texts: &[String]) -> String {
    let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", texts.iter().map(quoted).collect::<Vec<_>>().join(","))
}
