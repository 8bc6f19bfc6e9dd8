use sqlx::PgConnection;

use super::Question;
use super::documents::{Customer, Order, Spent};
use super::orders::select_orders;

/// A customer, the number of its orders by state, what was paid for them, and the last of them; if there is such a customer.
#[derive(Debug)]
pub struct CustomerSummary {
    pub id: i64,
}

impl Question for CustomerSummary {
    type Answer = Option<(Customer, Vec<(String, i64)>, Vec<Spent>, Vec<Order>)>;

    async fn asked(&self, view: &mut PgConnection) -> sqlx::Result<Self::Answer> {
        const CUSTOMER: &str = "SELECT id, first_name, last_name, level, version FROM customers WHERE id = $1";
        const ORDERS: &str = "SELECT state, count(*) FROM orders WHERE customer_id = $1 GROUP BY state ORDER BY state";
        const SPENT: &str = "
            SELECT p.currency, SUM(p.amount_minor)::text AS spent_minor
            FROM orders o JOIN payments p ON p.order_id = o.id WHERE o.customer_id = $1
            GROUP BY p.currency ORDER BY p.currency";
        const RECENT: &str =
            select_orders!("WHERE o.customer_id = $1 ORDER BY o.created_at_ms DESC, o.id DESC LIMIT 10");

        let customer = sqlx::query_as(CUSTOMER).bind(self.id).fetch_optional(&mut *view).await?;
        let Some(customer) = customer else { return Ok(None) };
        let orders = sqlx::query_as(ORDERS).bind(self.id).fetch_all(&mut *view).await?;
        let spent = sqlx::query_as(SPENT).bind(self.id).fetch_all(&mut *view).await?;
        let recent = sqlx::query_as(RECENT).bind(self.id).fetch_all(&mut *view).await?;
        Ok(Some((customer, orders, spent, recent)))
    }
}
