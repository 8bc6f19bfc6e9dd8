//! What a question costs the database.

use test_kit::eventually;

use crate::client::read;
use crate::harness::{DEADLINE, Views};

#[tokio::test]
async fn no_list_of_orders_reads_the_whole_table() -> anyhow::Result<()> {
    const FILL: &str = "
        INSERT INTO orders SELECT 'order-' || n, n % 500, (ARRAY['CREATED', 'VALIDATED', 'FAILED'])[1 + n % 3],
            'PRODUCT-' || n % 100, 1, 500, 'USD', '{}', 1, 1700000000000 + n, 1700000000000 + n, 0
        FROM generate_series(1, 100000) AS n";
    const SCANS: &str = "SELECT COALESCE(seq_tup_read, 0), COALESCE(idx_scan, 0) FROM pg_stat_user_tables
        WHERE relname = 'orders' AND schemaname = 'view_1'";
    let views = Views::new()?.started()?;
    let mut connection = views.connection().await?;
    sqlx::query(FILL).execute(&mut connection).await?;
    sqlx::query("ANALYZE orders").execute(&mut connection).await?;
    let whole: (i64, i64) = sqlx::query_as(SCANS).fetch_one(&mut connection).await?;

    let filters =
        ["state=FAILED", "customer=7", "product=PRODUCT-7", "from=2023-11-14T22:14:00Z", "to=2023-11-14T22:14:40Z"];
    let mut questions = 0;
    for combination in 0..32 {
        let chosen = filters.iter().enumerate().filter(|(filter, _)| combination & (1 << filter) != 0);
        let chosen = chosen.map(|(_, filter)| format!("&{filter}")).collect::<String>();
        let first = read(&views.service, &format!("/v1/orders?limit=2{chosen}")).await?;
        questions += 1;
        if let Some(next) = first["next"].as_str() {
            read(&views.service, &format!("/v1/orders?limit=2{chosen}&after={next}")).await?;
            questions += 1;
        }
    }
    // A backend tells of its scans now and then.
    let scans = eventually("the scans are counted", DEADLINE, async || {
        let mut other = views.connection().await.ok()?;
        let scans: (i64, i64) = sqlx::query_as(SCANS).fetch_one(&mut other).await.ok()?;
        (scans.1 >= whole.1 + questions).then_some(scans)
    })
    .await;
    assert_eq!(scans.0, whole.0, "rows that were read without an index");
    Ok(())
}
