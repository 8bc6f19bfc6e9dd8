use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service_kit::http::{BlockingRead, Parameters, Problem, ReadRefusal};
use shared_schemas::OrderState;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::refusals::Refusal;
use super::{Answer, Site, cursor};
use crate::db::read::documents::{Order, OrderWithStory};
use crate::db::read::{OrderList, OrderStory};
use crate::domain::key_text;

/// Some orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrdersDocument {
    orders: Vec<Order>,
    /// For `after`, to read on; null at the end
    next: Option<String>,
}

/// How many entries a list has unless told, and at most.
pub const DEFAULT_LIMIT: i64 = 50;
pub const MOST: i64 = 200;

/// Orders, newest first
///
/// Filters may be combined. The next page begins exactly behind this one, however many orders have come meanwhile.
#[utoipa::path(get, path = "/v1/orders",
    params(
        ("state" = Option<String>, Query, description = "CREATED, VALIDATED, FAILED, PAID, SHIPPED or CANCELLED"),
        ("customer" = Option<i64>, Query, description = "The id of a customer"),
        ("product" = Option<String>, Query),
        ("from" = Option<String>, Query, description = "Created at or after this moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "Created before this moment (RFC 3339)"),
        ("limit" = Option<u64>, Query, description = "At most 200, and 50 unless given"),
        ("after" = Option<String>, Query, description = "The `next` of the page before"),
    ),
    responses((status = 200, description = "The orders", body = OrdersDocument), Refusal))]
pub async fn list(State(site): State<Site>, parameters: Parameters) -> Answer<OrdersDocument> {
    parameters.no_others(&["state", "customer", "product", "from", "to", "limit", "after"])?;
    let limit = parameters.number("limit", 1..=MOST)?.unwrap_or(DEFAULT_LIMIT);
    let question = OrderList {
        state: parameters.text("state")?.map(state).transpose()?,
        customer_id: parameters.number("customer", i64::MIN..=i64::MAX)?,
        // As it stands in the table.
        product: parameters.text("product")?.map(|product| key_text(product.to_string())),
        from_ms: moment(&parameters, "from")?,
        to_ms: moment(&parameters, "to")?,
        after: cursor::after(&parameters)?,
        limit: limit + 1,
    };
    let mut orders = site.reads.ask(&question).await?;
    let next = cut(&mut orders, limit).then(|| orders.last()).flatten();
    let next = next.map(|last| cursor::behind(last.created_at.0, &last.id));
    Ok(Json(OrdersDocument { orders, next }))
}

/// An order and all that happened to it
///
/// With `version` the answer waits until the view has come so far, so that a link never outruns it. Without, it is given at
/// once.
#[utoipa::path(get, path = "/v1/orders/{id}",
    params(BlockingRead, ("version" = Option<i32>, Query, description = "The least version to show")),
    responses((status = 200, description = "The order", body = OrderWithStory), ReadRefusal))]
pub async fn get(State(site): State<Site>, read: BlockingRead, parameters: Parameters) -> Answer<OrderWithStory> {
    parameters.no_others(&["version", "timeout"])?;
    let Some(version) = parameters.number("version", 1..=i32::MAX.into())? else {
        let order = site.reads.ask(&OrderStory { id: read.id }).await?;
        return order.map(Json).ok_or_else(|| Problem::not_found("There is no such order, or not yet."));
    };
    // Registered before the table is looked into, whoever waits is woken by all that comes after.
    let mut heard = site.feed.version_of(&read.id);
    let question = OrderStory { id: read.id };
    let reached = async {
        loop {
            match site.reads.ask(&question).await {
                Ok(Some(order)) if i64::from(order.order.version) >= version => return Ok(order),
                Ok(_) if read.timeout.duration().is_zero() => return Err(Problem::not_found(NOT_YET)),
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            // The feed lives as long as the process.
            let _ = heard.wait_for(|heard| i64::from(*heard) >= version).await;
            heard.mark_unchanged();
        }
    };
    if read.timeout.duration().is_zero() {
        return reached.await.map(Json);
    }
    let reached = timeout(read.timeout.duration(), reached).await;
    reached.unwrap_or_else(|_| Err(Problem::timed_out("The view has not come so far in time."))).map(Json)
}

const NOT_YET: &str = "The view has not come so far yet.";

/// Cuts a list that was asked for one entry more, and says whether there is more.
pub fn cut<T>(list: &mut Vec<T>, limit: i64) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_more = list.len() > limit;
    list.truncate(limit);
    is_more
}

fn state(name: &str) -> Result<String, Problem> {
    let state: Result<OrderState, _> = serde_json::from_value(name.into());
    state.map(|_| name.to_string()).map_err(|_| Problem::invalid_parameter("state", "must be a state of an order"))
}

/// A moment in whole milliseconds.
fn moment(parameters: &Parameters, name: &str) -> Result<Option<i64>, Problem> {
    let Some(text) = parameters.text(name)? else { return Ok(None) };
    let moment = OffsetDateTime::parse(text, &Rfc3339);
    let moment =
        moment.map_err(|_| Problem::invalid_parameter(name, "must be a moment such as 2026-01-01T12:00:00Z"))?;
    Ok(i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok())
}
