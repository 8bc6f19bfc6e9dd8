use sqlx::PgConnection;

use super::Question;
use super::documents::Stock;

/// The stock, by product; the first thousand of them.
#[derive(Debug)]
pub struct StockList;

/// Levels as clients see them, and which. Numbers from the log may be anything, so their difference is cut to 64 bits.
macro_rules! select_stock {
    ($which:literal) => {
        concat!(
            "SELECT product, on_hand, reserved, version, updated_at_ms AS updated_at,
                 GREATEST(LEAST(on_hand::numeric - reserved, 9223372036854775807), -9223372036854775808)::bigint
                     AS available
             FROM stock ",
            $which
        )
    };
}
pub(super) use select_stock;

impl Question for StockList {
    type Answer = Vec<Stock>;

    async fn asked(&self, view: &mut PgConnection) -> sqlx::Result<Self::Answer> {
        sqlx::query_as(select_stock!("ORDER BY product LIMIT 1000")).fetch_all(view).await
    }
}
