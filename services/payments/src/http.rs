mod body;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use service_kit::http::{BlockingRead, Call, CommandRefusal, IdempotencyKey, Problem, ReadRefusal};
use service_kit::{Context, Gateway};
use shared_schemas::{PAYMENT_REQUESTS, Payment, PaymentRequested};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{NewPayment, PaymentDocument};
use crate::domain::is_same;
use crate::options::Options;
use crate::topology::PAYMENT_STORE;

type Payments = Gateway<PaymentRequested, Payment>;

pub fn router(context: &Context<Options>) -> OpenApiRouter {
    let payments: Payments = context.gateway(&PAYMENT_REQUESTS, &PAYMENT_STORE);
    OpenApiRouter::new().routes(routes!(pay)).routes(routes!(get)).with_state(payments)
}

/// Takes a payment
///
/// The request is journaled, then decided; a payment sent again under the same id is the same payment.
#[utoipa::path(post, path = "/v1/payments", request_body = NewPayment, params(Call, IdempotencyKey),
    responses(CommandRefusal,
        (status = 201, description = "The payment is received, or was before", body = PaymentDocument,
            headers(("Location" = String, description = "Where the payment is"))),
        (status = 202, description = "The payment is journaled and will be decided",
            headers(("Location" = String, description = "Where the payment will be"))),
        (status = 409, description = "Another payment has this id, and stands as `payment`",
            body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn pay(State(payments): State<Payments>, key: IdempotencyKey, call: Call) -> Result<Response, Problem> {
    let request = NewPayment::read(&call.body)?.requested(&call, payments.id_for(key));
    let location = [(header::LOCATION, format!("/v1/payments/{}", request.id))];
    match payments.submit(&call, &request, Some).await? {
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
#[utoipa::path(get, path = "/v1/payments/{id}", params(BlockingRead),
    responses((status = 200, description = "The payment", body = PaymentDocument), ReadRefusal))]
async fn get(State(payments): State<Payments>, read: BlockingRead) -> Result<Json<PaymentDocument>, Problem> {
    Ok(Json(PaymentDocument::from(payments.read(&read, Some).await?)))
}
