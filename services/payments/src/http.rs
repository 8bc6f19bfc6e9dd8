mod body;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service_kit::http::{Call, CommandRefusal, JsonBody, PathId, Problem, ReadRefusal, Timeout};
use service_kit::{Context, Gateway, View};
use shared_schemas::{PAYMENT_REQUESTS, Payment, PaymentRequested};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{NewPayment, PaymentDocument};
use crate::domain::is_same;
use crate::options::Options;
use crate::topology::PAYMENT_STORE;

struct Payments {
    context: Context<Options>,
    gateway: Gateway<PaymentRequested, Payment>,
    view: View<Payment>,
}

pub fn router(context: &Context<Options>) -> OpenApiRouter {
    let payments = Payments {
        context: context.clone(),
        gateway: context.gateway(&PAYMENT_REQUESTS, &PAYMENT_STORE),
        view: context.view(&PAYMENT_STORE),
    };
    OpenApiRouter::new().routes(routes!(pay)).routes(routes!(get)).with_state(Arc::new(payments))
}

/// Takes a payment
///
/// The request is journaled, then decided; a payment sent again under the same id is the same payment.
#[utoipa::path(
    post, path = "/v1/payments",
    request_body = NewPayment,
    params(
        Call,
        ("Idempotency-Key" = Option<String>, Header, description = "Gives the payment its id if the body has none"),
    ),
    responses(
        (status = 201, description = "The payment is received, or was before", body = PaymentDocument,
            headers(("Location" = String, description = "Where the payment is"))),
        (status = 202, description = "The payment is journaled and will be decided",
            headers(("Location" = String, description = "Where the payment will be"))),
        (status = 409, description = "Another payment has this id", body = Problem, content_type = "application/problem+json"),
        CommandRefusal,
    ),
)]
async fn pay(
    State(payments): State<Arc<Payments>>,
    call: Call,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let fallback_id = payments.context.id_for(&headers)?;
    let bytes = body.bytes().to_vec();
    let request = NewPayment::read(body)?.requested(bytes, fallback_id, call.received_at);
    let location = [(header::LOCATION, format!("/v1/payments/{}", request.id))];
    match payments.gateway.submit(&call, &request, Some).await? {
        Some(payment) if is_same(&payment, &request) => {
            Ok((StatusCode::CREATED, location, Json(PaymentDocument::from(payment))).into_response())
        }
        Some(payment) => {
            let conflict = Problem::conflict("Another payment has been received under this id.");
            Err(conflict.with("payment", PaymentDocument::from(payment)))
        }
        None => Ok((StatusCode::ACCEPTED, location).into_response()),
    }
}

/// A payment as soon as it is received
#[utoipa::path(
    get, path = "/v1/payments/{id}",
    params(("id" = String, Path, description = "The payment's id"), Timeout),
    responses((status = 200, description = "The payment", body = PaymentDocument), ReadRefusal),
)]
async fn get(
    State(payments): State<Arc<Payments>>,
    PathId(id): PathId,
    timeout: Timeout,
) -> Result<Json<PaymentDocument>, Problem> {
    let payment = payments.view.read(&id, timeout, Some).await?;
    Ok(Json(PaymentDocument::from(payment)))
}
