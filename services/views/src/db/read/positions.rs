use sqlx::PgConnection;

use super::Question;

/// How far each partition is applied: topic, partition, and the offset that comes next.
#[derive(Debug)]
pub struct Positions;

impl Question for Positions {
    type Answer = Vec<(String, i32, i64)>;

    async fn asked(&self, view: &mut PgConnection) -> sqlx::Result<Self::Answer> {
        sqlx::query_as("SELECT topic, partition, next_offset FROM positions").fetch_all(view).await
    }
}
