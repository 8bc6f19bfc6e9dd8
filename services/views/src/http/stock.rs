use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service_kit::http::Parameters;
use utoipa::ToSchema;

use super::refusals::Refusal;
use super::{Answer, Site};
use crate::db::read::StockList;
use crate::db::read::documents::Stock;

/// The stock of all products.
#[derive(Debug, Serialize, ToSchema)]
pub struct StockDocument {
    /// By product; the first thousand
    stock: Vec<Stock>,
}

/// How much of each product there is
#[utoipa::path(get, path = "/v1/stock",
    responses((status = 200, description = "The stock", body = StockDocument), Refusal))]
pub async fn list(State(site): State<Site>, parameters: Parameters) -> Answer<StockDocument> {
    parameters.no_others(&[])?;
    Ok(Json(StockDocument { stock: site.reads.ask(&StockList).await? }))
}
