use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service_kit::http::Parameters;
use utoipa::ToSchema;

use super::refusals::Refusal;
use super::{Answer, Site};
use crate::db::read::MinuteCounts;
use crate::db::read::documents::Moment;

/// Orders by the minute.
#[derive(Debug, Serialize, ToSchema)]
pub struct MinutesDocument {
    /// The oldest first; the last one is not over yet
    minutes: Vec<Minute>,
}

/// What happened in a minute.
#[derive(Debug, Serialize, ToSchema)]
pub struct Minute {
    /// When it began
    #[schema(value_type = String, example = "2026-01-01T12:00:00Z")]
    minute: Moment,
    /// Orders that were created in it
    orders: i64,
    /// How many of these have failed since
    failed: i64,
}

const MS_PER_MINUTE: i64 = 60_000;

/// Orders and failures of each minute, in event time
#[utoipa::path(get, path = "/v1/minutes",
    params(("minutes" = Option<u64>, Query, description = "How many, at most 1440, and 60 unless given")),
    responses((status = 200, description = "The minutes", body = MinutesDocument), Refusal))]
pub async fn count(State(site): State<Site>, parameters: Parameters) -> Answer<MinutesDocument> {
    parameters.no_others(&["minutes"])?;
    let minutes = parameters.number("minutes", 1..=1440)?.unwrap_or(60);
    let end_minute = (site.clock)().as_millis().div_euclid(MS_PER_MINUTE) + 1;
    let first_minute = end_minute - minutes;
    let counted = site.reads.ask(&MinuteCounts { first_minute, end_minute }).await?;
    let counted: BTreeMap<i64, (i64, i64)> =
        counted.into_iter().map(|(minute, orders, failed)| (minute, (orders, failed))).collect();
    let minutes = (first_minute..end_minute).map(|minute| {
        let (orders, failed) = counted.get(&minute).copied().unwrap_or_default();
        Minute { minute: Moment(minute * MS_PER_MINUTE), orders, failed }
    });
    Ok(Json(MinutesDocument { minutes: minutes.collect() }))
}
