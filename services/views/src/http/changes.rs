use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use service_kit::http::{Parameters, Problem};

use super::Site;
use crate::feed::Page;

/// What changes in the view, as it changes
///
/// Server-sent events: `hello` with the position, when it begins; `changes` with all rows that have changed since; `reset` when
/// everything is to be read anew; `status` about every two seconds, and whenever a part is down. All but the last have an
/// id, from which an event source goes on by itself when it was cut off.
#[utoipa::path(get, path = "/v1/changes",
    params(("Last-Event-ID" = Option<String>, Header, description = "The position to go on from")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String,
            description = "`hello` (Position), `changes` (Changed), `reset` ({}) and `status` (StatusDocument)"),
    ))]
pub async fn follow(State(site): State<Site>, headers: HeaderMap, parameters: Parameters) -> Result<Response, Problem> {
    parameters.no_others(&[])?;
    let last_event_id = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let page = Page::opened(&site.feed, site.reads, last_event_id, site.stopping);
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, page.into_body()).into_response())
}
