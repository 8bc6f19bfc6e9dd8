use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::Question;
use super::documents::{Customer, Mail, Order, Stock};
use super::orders::select_orders;
use super::stock::select_stock;

/// A state of the view: each commit is one change, and they are counted in the order of commits, from 0 in each generation
/// of the tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Position {
    #[schema(example = "view_3")]
    pub generation: String,
    pub change: i64,
}

/// What has happened to the view.
#[derive(Debug)]
pub struct News<'a> {
    /// Since when rows are asked for, if they are.
    pub since: Option<&'a Position>,
    /// The orders whose versions are asked for.
    pub awaited: &'a [String],
}

/// What has happened, and how far the view is.
#[derive(Debug)]
pub struct NewsAnswer {
    pub position: Position,
    pub since: Since,
    pub versions: Vec<(String, i32)>,
}

/// What has happened since a position.
#[derive(Debug)]
pub enum Since {
    /// It was not asked for, or there is nothing.
    Nothing,
    Changed(Changed),
    /// The position is of other tables, or so much has changed that whoever wants to know reads anew, or a row was removed,
    /// which happens so seldom that nobody is told which.
    Lost,
}

/// All rows that changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    orders: Vec<Order>,
    customers: Vec<Customer>,
    stock: Vec<Stock>,
    mails: Vec<Mail>,
}

/// Rows in one message; whoever has missed more reads anew.
const MOST_ROWS: usize = 1000;

impl Question for News<'_> {
    type Answer = NewsAnswer;

    async fn asked(&self, view: &mut PgConnection) -> sqlx::Result<Self::Answer> {
        const POSITION: &str = "SELECT current_schema()::text, change, removed FROM feed";
        const VERSIONS: &str = "SELECT id, version FROM orders WHERE id = ANY($1)";

        let (generation, change, removed) = sqlx::query_as(POSITION).fetch_one(&mut *view).await?;
        let position = Position { generation, change };
        let since = match self.since {
            Some(since) if !since.is_before(&position) || since.change < removed => Since::Lost,
            Some(since) if since.change < position.change => changed_since(since.change, view).await?,
            _ => Since::Nothing,
        };
        let versions = if self.awaited.is_empty() {
            Vec::new()
        } else {
            sqlx::query_as(VERSIONS).bind(self.awaited).fetch_all(view).await?
        };
        Ok(NewsAnswer { position, since, versions })
    }
}

async fn changed_since(change: i64, view: &mut PgConnection) -> sqlx::Result<Since> {
    // One more than fit, of each kind. A payment or a verdict changes its order.
    const ORDERS: &str = select_orders!(
        "WHERE o.id IN (SELECT id FROM orders WHERE change > $1
                        UNION SELECT order_id FROM payments WHERE change > $1
                        UNION SELECT order_id FROM validations WHERE change > $1 LIMIT 1001)
         ORDER BY o.created_at_ms, o.id"
    );
    const CUSTOMERS: &str = "
        SELECT id, first_name, last_name, level, version FROM customers WHERE change > $1 ORDER BY id LIMIT 1001";
    const STOCK: &str = select_stock!("WHERE change > $1 ORDER BY product LIMIT 1001");
    const MAILS: &str = "
        SELECT id, order_id, kind, subject, sent_at_ms AS sent_at FROM mails WHERE change > $1
        ORDER BY sent_at_ms, id LIMIT 1001";

    let changed = Changed {
        orders: sqlx::query_as(ORDERS).bind(change).fetch_all(&mut *view).await?,
        customers: sqlx::query_as(CUSTOMERS).bind(change).fetch_all(&mut *view).await?,
        stock: sqlx::query_as(STOCK).bind(change).fetch_all(&mut *view).await?,
        mails: sqlx::query_as(MAILS).bind(change).fetch_all(view).await?,
    };
    Ok(if changed.rows() > MOST_ROWS { Since::Lost } else { Since::Changed(changed) })
}

impl Changed {
    /// Whether there is nothing to be seen of it, as when an event changed no row that is shown.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    fn rows(&self) -> usize {
        self.orders.len() + self.customers.len() + self.stock.len() + self.mails.len()
    }
}

impl Position {
    /// Whether the one is reached by way of the other, or is the same.
    pub fn is_before(&self, later: &Self) -> bool {
        self.generation == later.generation && self.change <= later.change
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.generation, self.change)
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (generation, change) = text.rsplit_once('-').ok_or(())?;
        let change = change.parse().map_err(|_| ())?;
        Ok(Self { generation: generation.to_string(), change })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written_and_nothing_else_is_one() {
        let position = Position { generation: "view_3".to_string(), change: 12 };
        assert_eq!(position.to_string(), "view_3-12");
        assert_eq!("view_3-12".parse(), Ok(position));
        for text in ["", "view_3", "view_3-", "view_3-x", "12"] {
            assert_eq!(text.parse::<Position>(), Err(()), "{text}");
        }
    }

    #[test]
    fn only_positions_in_the_same_tables_follow_each_other() {
        let at = |generation: &str, change| Position { generation: generation.to_string(), change };
        assert!(at("view_3", 12).is_before(&at("view_3", 12)));
        assert!(at("view_3", 11).is_before(&at("view_3", 12)));
        assert!(!at("view_3", 13).is_before(&at("view_3", 12)));
        assert!(!at("view_2", 11).is_before(&at("view_3", 12)));
    }
}
