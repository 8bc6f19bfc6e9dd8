use sqlx::PgConnection;

use super::Question;
use super::documents::{Order, OrderWithStory};

/// Orders, newest first.
#[derive(Debug, Default)]
pub struct OrderList {
    pub state: Option<String>,
    pub customer_id: Option<i64>,
    pub product: Option<String>,
    /// Created at or after this moment.
    pub from_ms: Option<i64>,
    /// Created before this moment.
    pub to_ms: Option<i64>,
    /// Behind this one: when it was created, and its id.
    pub after: Option<(i64, String)>,
    pub limit: i64,
}

/// One order and all that is known of it, if there is such an order.
#[derive(Debug)]
pub struct OrderStory {
    pub id: String,
}

/// Orders as clients see them, and which.
macro_rules! select_orders {
    ($which:literal) => {
        concat!(
            "SELECT o.id, o.customer_id, c.first_name, c.last_name, c.level, o.state, o.product, o.quantity,
                 o.price_minor::text, o.currency, o.version, o.reasons, o.created_at_ms, o.updated_at_ms,
                 (SELECT COALESCE(SUM(p.amount_minor), 0)::text FROM payments p
                  WHERE p.order_id = o.id AND p.currency = o.currency) AS paid_minor
             FROM orders o LEFT JOIN customers c ON c.id = o.customer_id ",
            $which
        )
    };
}
pub(super) use select_orders;

impl Question for OrderList {
    type Answer = Vec<Order>;

    async fn asked(&self, view: &mut PgConnection) -> sqlx::Result<Self::Answer> {
        const LIST: &str = select_orders!(
            "WHERE ($1::text IS NULL OR o.state = $1) AND ($2::bigint IS NULL OR o.customer_id = $2)
               AND ($3::text IS NULL OR o.product = $3)
               AND ($4::bigint IS NULL OR o.created_at_ms >= $4) AND ($5::bigint IS NULL OR o.created_at_ms < $5)
               AND ($6::bigint IS NULL OR (o.created_at_ms, o.id) < ($6, $7))
             ORDER BY o.created_at_ms DESC, o.id DESC LIMIT $8"
        );
        let (created_at_ms, id) = self.after.as_ref().map(|(created_at_ms, id)| (*created_at_ms, id)).unzip();
        sqlx::query_as(LIST)
            .bind(&self.state)
            .bind(self.customer_id)
            .bind(&self.product)
            .bind(self.from_ms)
            .bind(self.to_ms)
            .bind(created_at_ms)
            .bind(id)
            .bind(self.limit)
            .fetch_all(view)
            .await
    }
}

impl Question for OrderStory {
    type Answer = Option<OrderWithStory>;

    async fn asked(&self, view: &mut PgConnection) -> sqlx::Result<Self::Answer> {
        const ORDER: &str = select_orders!("WHERE o.id = $1");
        const VALIDATIONS: &str = r#"
            SELECT check_name AS "check", result, reason, checked_at_ms AS checked_at
            FROM validations WHERE order_id = $1 ORDER BY check_name"#;
        const PAYMENTS: &str = "
            SELECT id, amount_minor::text, currency, paid_at_ms
            FROM payments WHERE order_id = $1 ORDER BY paid_at_ms, id LIMIT 1000";
        const MAILS: &str = "
            SELECT id, order_id, kind, subject, sent_at_ms AS sent_at
            FROM mails WHERE order_id = $1 ORDER BY sent_at_ms, id LIMIT 1000";
        const JOURNEY: &str = r#"
            SELECT topic, partition, "offset", what, note, happened_at_ms AS happened_at, processed_at_ms AS processed_at,
                traceparent
            FROM events WHERE order_id = $1
            ORDER BY COALESCE(processed_at_ms, happened_at_ms), happened_at_ms, topic, partition, "offset" LIMIT 1000"#;

        let order = sqlx::query_as(ORDER).bind(&self.id).fetch_optional(&mut *view).await?;
        let Some(order) = order else { return Ok(None) };
        Ok(Some(OrderWithStory {
            order,
            validations: sqlx::query_as(VALIDATIONS).bind(&self.id).fetch_all(&mut *view).await?,
            payments: sqlx::query_as(PAYMENTS).bind(&self.id).fetch_all(&mut *view).await?,
            mails: sqlx::query_as(MAILS).bind(&self.id).fetch_all(&mut *view).await?,
            journey: sqlx::query_as(JOURNEY).bind(&self.id).fetch_all(&mut *view).await?,
        }))
    }
}
