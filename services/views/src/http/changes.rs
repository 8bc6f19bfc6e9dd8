use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use service_kit::http::{Parameters, Problem};

use utoipa::ToSchema;

use super::Site;
use crate::db::read::{Changed, Position};
use crate::feed::{Page, StatusDocument};

/// The data of an event, by its name.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes what is written elsewhere")]
enum Told {
    Hello(Position),
    Changes(Changed),
    Reset {},
    Status(StatusDocument),
}

/// What changes in the view, as it changes
///
/// Server-sent events: `hello` with the position, when it begins; `changes` with all rows that have changed since; `reset` when
/// everything is to be read anew; `status` about every two seconds, and whenever a part is down. All but the last have an
/// id, from which an event source goes on by itself when it was cut off.
#[utoipa::path(get, path = "/v1/changes",
    params(("Last-Event-ID" = Option<String>, Header, description = "The position to go on from")),
    responses(
        (status = 200, content_type = "text/event-stream", body = Told, description = "Events, and their data"),
        (status = 400, content_type = "application/problem+json", body = Problem,
            description = "A parameter is not known"),
    ))]
pub async fn follow(State(site): State<Site>, headers: HeaderMap, parameters: Parameters) -> Result<Response, Problem> {
    parameters.no_others(&[])?;
    let last_event_id = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let page = Page::opened(&site.feed, site.reads, last_event_id, site.stopping);
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, page.into_body()).into_response())
}
