mod body;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use service_kit::http::{BlockingRead, Call, CommandRefusal, IdempotencyKey, Problem, ReadRefusal};
use service_kit::{Context, Gateway};
use shared_schemas::{ORDER_REQUESTS, Order, OrderRequested, OrderState};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{NewOrder, OrderDocument};
use crate::domain::OrderProgress;
use crate::options::Options;
use crate::topology::ORDER_PROGRESS;

type Orders = Gateway<OrderRequested, OrderProgress>;

pub fn router(context: &Context<Options>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(place))
        .routes(routes!(get))
        .routes(routes!(get_validated))
        .route("/v1/orders/", axum::routing::post(place))
        .with_state(context.gateway(&ORDER_REQUESTS, &ORDER_PROGRESS))
}

/// Places an order
///
/// The request is journaled, then decided; an order placed again under the same id is the same order.
#[utoipa::path(post, path = "/v1/orders", request_body = NewOrder, params(Call, IdempotencyKey),
    responses(CommandRefusal,
        (status = 201, description = "The order is created, or was before", body = OrderDocument,
            headers(("Location" = String, description = "Where the order is"))),
        (status = 202, description = "The order is journaled and will be decided",
            headers(("Location" = String, description = "Where the order will be"))),
        (status = 409, description = "Another order has this id, and stands as `order`",
            body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn place(State(orders): State<Orders>, key: IdempotencyKey, call: Call) -> Result<Response, Problem> {
    let request = NewOrder::read(&call.body)?.requested(&call, orders.id_for(key));
    let location = [(header::LOCATION, format!("/v1/orders/{}", request.order_id))];
    match orders.submit(&call, &request, |progress| progress.order).await? {
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
#[utoipa::path(get, path = "/v1/orders/{id}", params(BlockingRead),
    responses((status = 200, description = "The order", body = OrderDocument), ReadRefusal))]
async fn get(State(orders): State<Orders>, read: BlockingRead) -> Result<Json<OrderDocument>, Problem> {
    let order = orders.read(&read, |progress| progress.order).await?;
    Ok(Json(OrderDocument::from(&order)))
}

/// An order as soon as its verdict is given
#[utoipa::path(get, path = "/v1/orders/{id}/validated", params(BlockingRead),
    responses((status = 200, description = "The order, VALIDATED, FAILED or in a later state", body = OrderDocument),
        ReadRefusal))]
async fn get_validated(State(orders): State<Orders>, read: BlockingRead) -> Result<Json<OrderDocument>, Problem> {
    let has_verdict = |order: &Order| order.state != OrderState::Created;
    let order = orders.read(&read, |progress| progress.order.filter(has_verdict)).await?;
    Ok(Json(OrderDocument::from(&order)))
}

/// What the client asked for is what was created.
fn is_same(order: &Order, request: &OrderRequested) -> bool {
    (order.customer_id, order.quantity, order.price_minor)
        == (request.customer_id, request.quantity, request.price_minor)
        && order.product == request.product
        && order.currency == request.currency
}
