mod body;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service_kit::http::{Call, CommandRefusal, JsonBody, PathId, Problem, ReadRefusal, Timeout};
use service_kit::{Context, Gateway, View};
use shared_schemas::{ORDER_REQUESTS, Order, OrderRequested, OrderState};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{NewOrder, OrderDocument};
use crate::domain::OrderProgress;
use crate::options::Options;
use crate::topology::ORDER_PROGRESS;

struct Orders {
    context: Context<Options>,
    gateway: Gateway<OrderRequested, OrderProgress>,
    view: View<OrderProgress>,
}

pub fn router(context: &Context<Options>) -> OpenApiRouter {
    let orders = Orders {
        context: context.clone(),
        gateway: context.gateway(&ORDER_REQUESTS, &ORDER_PROGRESS),
        view: context.view(&ORDER_PROGRESS),
    };
    OpenApiRouter::new()
        .routes(routes!(place))
        .routes(routes!(get))
        .routes(routes!(get_validated))
        .route("/v1/orders/", axum::routing::post(place))
        .with_state(Arc::new(orders))
}

/// Places an order
///
/// The request is journaled, then decided; an order placed again under the same id is the same order.
#[utoipa::path(
    post, path = "/v1/orders",
    request_body = NewOrder,
    params(
        Call,
        ("Idempotency-Key" = Option<String>, Header, description = "Gives the order its id if the body has none"),
    ),
    responses(
        (status = 201, description = "The order is created, or was before", body = OrderDocument,
            headers(("Location" = String, description = "Where the order is"))),
        (status = 202, description = "The order is journaled and will be decided",
            headers(("Location" = String, description = "Where the order will be"))),
        (status = 409, description = "Another order has this id", body = Problem, content_type = "application/problem+json"),
        CommandRefusal,
    ),
)]
async fn place(
    State(orders): State<Arc<Orders>>,
    call: Call,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let fallback_id = orders.context.id_for(&headers)?;
    let bytes = body.bytes().to_vec();
    let request = NewOrder::read(body)?.requested(bytes, fallback_id, call.received_at);
    let location = [(header::LOCATION, format!("/v1/orders/{}", request.order_id))];
    match orders.gateway.submit(&call, &request, |progress| progress.order).await? {
        Some(order) if is_same(&order, &request) => {
            Ok((StatusCode::CREATED, location, Json(OrderDocument::from(&order))).into_response())
        }
        Some(order) => {
            let conflict = Problem::conflict("Another order has been placed under this id.");
            Err(conflict.with("order", OrderDocument::from(&order)))
        }
        None => Ok((StatusCode::ACCEPTED, location).into_response()),
    }
}

/// An order as soon as it exists
#[utoipa::path(
    get, path = "/v1/orders/{id}",
    params(("id" = String, Path, description = "The order's id"), Timeout),
    responses((status = 200, description = "The order", body = OrderDocument), ReadRefusal),
)]
async fn get(
    State(orders): State<Arc<Orders>>,
    PathId(id): PathId,
    timeout: Timeout,
) -> Result<Json<OrderDocument>, Problem> {
    let order = orders.view.read(&id, timeout, |progress| progress.order).await?;
    Ok(Json(OrderDocument::from(&order)))
}

/// An order as soon as its verdict is given
#[utoipa::path(
    get, path = "/v1/orders/{id}/validated",
    params(("id" = String, Path, description = "The order's id"), Timeout),
    responses(
        (status = 200, description = "The order, VALIDATED, FAILED or in a later state", body = OrderDocument),
        ReadRefusal,
    ),
)]
async fn get_validated(
    State(orders): State<Arc<Orders>>,
    PathId(id): PathId,
    timeout: Timeout,
) -> Result<Json<OrderDocument>, Problem> {
    let has_verdict = |order: &Order| order.state != OrderState::Created;
    let order = orders.view.read(&id, timeout, |progress| progress.order.filter(has_verdict)).await?;
    Ok(Json(OrderDocument::from(&order)))
}

/// What the client asked for is what was created.
fn is_same(order: &Order, request: &OrderRequested) -> bool {
    (order.customer_id, order.quantity, order.price_minor)
        == (request.customer_id, request.quantity, request.price_minor)
        && order.product == request.product
        && order.currency == request.currency
}
