mod body;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service_kit::http::{JsonBody, Parameters, Problem, TraceContext, idempotency_key, prefers};
use service_kit::{Context, JournalError, View, ViewError};
use shared_schemas::{ORDER_REQUESTS, Order, OrderRequested, OrderState};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{NewOrder, OrderDocument, valid_id};
use crate::domain::OrderProgress;
use crate::options::Options;
use crate::topology::ORDER_PROGRESS;

/// How long a request may block, in milliseconds; 0 does not block.
const TIMEOUT_MS: RangeInclusive<u64> = 0..=60_000;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_AFTER: Duration = Duration::from_secs(1);

struct Orders {
    context: Context<Options>,
    view: View<OrderProgress>,
}

pub fn router(context: &Context<Options>) -> OpenApiRouter {
    let orders = Orders { view: context.view(&ORDER_PROGRESS), context: context.clone() };
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
        ("timeout" = Option<u64>, Query, description = "Milliseconds to wait for the decision, 10000 unless given"),
        ("Idempotency-Key" = Option<String>, Header, description = "Gives the order its id if the body has none"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`: do not wait for the decision"),
    ),
    responses(
        (status = 201, description = "The order is created, or was before", body = OrderDocument,
            headers(("Location" = String, description = "Where the order is"))),
        (status = 202, description = "The order is journaled and will be decided",
            headers(("Location" = String, description = "Where the order will be"))),
        (status = 400, description = "The body is not well-formed JSON, or a parameter cannot be understood", body = Problem),
        (status = 409, description = "Another order has this id", body = Problem),
        (status = 413, description = "The body is too large", body = Problem),
        (status = 415, description = "The body is not `application/json`", body = Problem),
        (status = 422, description = "Some fields cannot be represented", body = Problem),
        (status = 503, description = "The journal does not answer: repeat under the same id", body = Problem,
            headers(("Retry-After" = u64, description = "Seconds"))),
    ),
)]
async fn place(
    State(orders): State<Arc<Orders>>,
    parameters: Parameters,
    headers: HeaderMap,
    trace: TraceContext,
    body: JsonBody,
) -> Result<Response, Problem> {
    let timeout = parameters.milliseconds("timeout", TIMEOUT_MS)?.unwrap_or(DEFAULT_TIMEOUT);
    let key = idempotency_key(&headers)?;
    let fallback_id = || key.map_or_else(|| orders.context.new_id(), |key| orders.context.id_for(&key));
    let bytes = body.bytes().to_vec();
    let request = NewOrder::read(body)?.requested(bytes, fallback_id, (orders.context.clock())());
    let location = [(header::LOCATION, format!("/v1/orders/{}", request.order_id))];

    // Begins now; but an order is journaled first, however little time its client has.
    let mut time_is_up = std::pin::pin!(tokio::time::sleep(timeout));
    orders.journal(&request, &trace).await?;
    if prefers(&headers, "respond-async") {
        return Ok((StatusCode::ACCEPTED, location).into_response());
    }
    let order = tokio::select! {
        biased;
        order = orders.view.wait_for(&request.order_id, |progress| progress.order) => order.map_err(Problem::internal)?,
        () = time_is_up.as_mut() => return Ok((StatusCode::ACCEPTED, location).into_response()),
    };
    if is_same(&order, &request) {
        Ok((StatusCode::CREATED, location, Json(OrderDocument::from(&order))).into_response())
    } else {
        Err(Problem::conflict("Another order has been placed under this id.")
            .with("order", OrderDocument::from(&order)))
    }
}

/// An order as soon as it exists
#[utoipa::path(
    get, path = "/v1/orders/{id}",
    params(
        ("id" = String, Path, description = "The order's id"),
        ("timeout" = Option<u64>, Query, description = "Milliseconds to wait, 10000 unless given; 0 does not wait"),
    ),
    responses(
        (status = 200, description = "The order", body = OrderDocument),
        (status = 400, description = "The id or the timeout cannot be understood", body = Problem),
        (status = 404, description = "There is no such order, and the request does not wait", body = Problem),
        (status = 503, description = "Nobody serves the order at the moment, and the request does not wait", body = Problem,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 504, description = "There was no such order in time", body = Problem),
    ),
)]
async fn get(
    State(orders): State<Arc<Orders>>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<OrderDocument>, Problem> {
    orders.read(&id, &parameters, |progress| progress.order).await
}

/// An order as soon as its verdict is given
#[utoipa::path(
    get, path = "/v1/orders/{id}/validated",
    params(
        ("id" = String, Path, description = "The order's id"),
        ("timeout" = Option<u64>, Query, description = "Milliseconds to wait, 10000 unless given; 0 does not wait"),
    ),
    responses(
        (status = 200, description = "The order, VALIDATED, FAILED or in a later state", body = OrderDocument),
        (status = 400, description = "The id or the timeout cannot be understood", body = Problem),
        (status = 404, description = "There is no verdict, and the request does not wait", body = Problem),
        (status = 503, description = "Nobody serves the order at the moment, and the request does not wait", body = Problem,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 504, description = "There was no verdict in time", body = Problem),
    ),
)]
async fn get_validated(
    State(orders): State<Arc<Orders>>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<OrderDocument>, Problem> {
    let has_verdict = |order: &Order| order.state != OrderState::Created;
    orders.read(&id, &parameters, |progress| progress.order.filter(has_verdict)).await
}

impl Orders {
    async fn journal(&self, request: &OrderRequested, trace: &TraceContext) -> Result<(), Problem> {
        let traceparent = trace.traceparent();
        let journal = self.context.journal();
        match journal.append(&ORDER_REQUESTS, request, request.requested_at, Some(&traceparent)).await {
            Ok(_) => Ok(()),
            Err(JournalError::NotAcknowledged(error)) => {
                tracing::warn!(order_id = request.order_id, %error, "the journal does not answer");
                Err(not_journaled(&request.order_id))
            }
            Err(error) => Err(Problem::internal(error)),
        }
    }

    async fn read(
        &self,
        id: &str,
        parameters: &Parameters,
        mut choose: impl FnMut(OrderProgress) -> Option<Order>,
    ) -> Result<Json<OrderDocument>, Problem> {
        let timeout = parameters.milliseconds("timeout", TIMEOUT_MS)?.unwrap_or(DEFAULT_TIMEOUT);
        valid_id(id).map_err(|detail| Problem::invalid_parameter("id", detail))?;
        let found = if timeout.is_zero() {
            let found = self.view.get(id).await.map(|progress| progress.and_then(choose));
            found.transpose().ok_or_else(|| Problem::not_found("There is nothing to show of this order yet."))?
        } else {
            let found = tokio::time::timeout(timeout, self.view.wait_for(id, &mut choose)).await;
            found.map_err(|_| Problem::timed_out("There was nothing to show of this order in time."))?
        };
        match found {
            Ok(order) => Ok(Json(OrderDocument::from(&order))),
            Err(ViewError::NotServed) => {
                Err(Problem::unavailable("The order's partition is changing hands.", RETRY_AFTER))
            }
            Err(error) => Err(Problem::internal(error)),
        }
    }
}

/// What the client asked for is what was created.
fn is_same(order: &Order, request: &OrderRequested) -> bool {
    (order.customer_id, order.quantity, order.price_minor)
        == (request.customer_id, request.quantity, request.price_minor)
        && order.product == request.product
        && order.currency == request.currency
}

fn not_journaled(order_id: &str) -> Problem {
    let detail = "The order is not known to be journaled. Place it again under the same id: it will not be doubled.";
    Problem::unavailable(detail, RETRY_AFTER).with("id", order_id)
}
