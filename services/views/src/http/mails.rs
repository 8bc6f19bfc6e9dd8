use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service_kit::http::Parameters;
use utoipa::ToSchema;

use super::orders::{DEFAULT_LIMIT, MOST, cut};
use super::refusals::Refusal;
use super::{Answer, Site, cursor};
use crate::db::read::MailList;
use crate::db::read::documents::Mail;

/// Some mails, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailsDocument {
    mails: Vec<Mail>,
    /// For `after`, to read on; null at the end
    next: Option<String>,
}

/// Mails that went out, newest first
#[utoipa::path(get, path = "/v1/mails",
    params(
        ("limit" = Option<u64>, Query, description = "At most 200, and 50 unless given"),
        ("after" = Option<String>, Query, description = "The `next` of the page before"),
    ),
    responses((status = 200, description = "The mails", body = MailsDocument), Refusal))]
pub async fn list(State(site): State<Site>, parameters: Parameters) -> Answer<MailsDocument> {
    parameters.no_others(&["limit", "after"])?;
    let limit = parameters.number("limit", 1..=MOST)?.unwrap_or(DEFAULT_LIMIT);
    let mut mails = site.reads.ask(&MailList { after: cursor::after(&parameters)?, limit: limit + 1 }).await?;
    let next = cut(&mut mails, limit).then(|| mails.last()).flatten();
    let next = next.map(|last| cursor::behind(last.sent_at.0, &last.id));
    Ok(Json(MailsDocument { mails, next }))
}
