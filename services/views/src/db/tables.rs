//! Generations of the tables: each in a schema of its own, which no other ever had.

use sqlx::{AssertSqlSafe, PgConnection};

/// From what the tables are made. Tables that were made from anything else are not served.
pub const LAYOUT: &str = concat!(include_str!("../layout.sql"), include_str!("../indexes.sql"));

/// Makes the first tables, unless there are some.
pub(super) async fn serve_first(transaction: &mut PgConnection) -> sqlx::Result<()> {
    let served: Option<String> =
        sqlx::query_scalar("SELECT schema FROM public.serving").fetch_optional(&mut *transaction).await?;
    if served.is_none() {
        let schema = create_tables(&mut *transaction).await?;
        sqlx::raw_sql(include_str!("../indexes.sql")).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO public.serving (schema, layout) VALUES ($1, md5($2))")
            .bind(schema)
            .bind(LAYOUT)
            .execute(transaction)
            .await?;
    }
    Ok(())
}

/// Makes empty tables without indexes in a schema of their own, which is searched until the end of the transaction.
pub async fn create_tables(transaction: &mut PgConnection) -> sqlx::Result<String> {
    let schema: String =
        sqlx::query_scalar("SELECT 'view_' || nextval('public.generations')").fetch_one(&mut *transaction).await?;
    // The name is made of a word and a number.
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&mut *transaction).await?;
    super::search(&mut *transaction, &schema).await?;
    sqlx::raw_sql(include_str!("../layout.sql")).execute(transaction).await?;
    Ok(schema)
}

/// Drops the tables of a generation. The name is one that [`create_tables`] gave.
pub async fn drop_tables(connection: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE"))).execute(connection).await.map(drop)
}
