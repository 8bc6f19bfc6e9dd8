use sqlx::PgConnection;

use super::Question;

/// How many orders were created in each minute of event time, and how many of those have failed; minutes without any are
/// left out.
#[derive(Debug)]
pub struct MinuteCounts {
    /// Since 1970.
    pub first_minute: i64,
    /// The first that is not counted.
    pub end_minute: i64,
}

impl Question for MinuteCounts {
    type Answer = Vec<(i64, i64, i64)>;

    async fn asked(&self, view: &mut PgConnection) -> sqlx::Result<Self::Answer> {
        const COUNT: &str = "
            SELECT created_at_ms / 60000, count(*), count(*) FILTER (WHERE state = 'FAILED')
            FROM orders WHERE created_at_ms >= $1 AND created_at_ms < $2 GROUP BY 1 ORDER BY 1";
        let (from_ms, to_ms) = (self.first_minute * 60_000, self.end_minute * 60_000);
        sqlx::query_as(COUNT).bind(from_ms).bind(to_ms).fetch_all(view).await
    }
}
