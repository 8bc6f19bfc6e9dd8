use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service_kit::http::{Parameters, PathId, Problem};
use utoipa::ToSchema;

use super::refusals::Refusal;
use super::{Answer, Site};
use crate::db::read::CustomerSummary;
use crate::db::read::documents::{Customer, Order, Spent};

/// A customer and its orders in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerDocument {
    #[serde(flatten)]
    customer: Customer,
    /// How many orders are in each state
    orders: BTreeMap<String, i64>,
    /// What was paid for its orders, by currency
    spent: Vec<Spent>,
    /// Its last orders, newest first; at most ten
    recent: Vec<Order>,
}

/// A customer and its orders in short
#[utoipa::path(get, path = "/v1/customers/{id}", params(("id" = i64, Path, description = "The id of a customer")),
    responses(
        (status = 200, description = "The customer", body = CustomerDocument),
        (status = 404, description = "There is no such customer, or not yet",
            body = Problem, content_type = "application/problem+json"),
        Refusal,
    ))]
pub async fn get(State(site): State<Site>, PathId(id): PathId, parameters: Parameters) -> Answer<CustomerDocument> {
    parameters.no_others(&[])?;
    let id = id.parse().map_err(|_| Problem::invalid_parameter("id", "must be a whole number"))?;
    let found = site.reads.ask(&CustomerSummary { id }).await?;
    let (customer, orders, spent, recent) =
        found.ok_or_else(|| Problem::not_found("There is no such customer, or not yet."))?;
    Ok(Json(CustomerDocument { customer, orders: orders.into_iter().collect(), spent, recent }))
}
