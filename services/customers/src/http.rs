mod body;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service_kit::http::{
    BlockingRead, Call, CommandRefusal, PathId, Precondition, Problem, ReadRefusal, etag, is_known,
};
use service_kit::{Context, Gateway, View};
use shared_schemas::{CUSTOMER_REQUESTS, Customer, CustomerRequested};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{CustomerDocument, NewCustomer};
use crate::domain::{self, Decisions};
use crate::options::Options;
use crate::topology::{DECISIONS, customers};

#[derive(Clone)]
struct Customers {
    changes: Gateway<CustomerRequested, Decisions>,
    view: View<Customer>,
}

pub fn router(context: &Context<Options>) -> OpenApiRouter {
    let changes = context.gateway(&CUSTOMER_REQUESTS, &DECISIONS);
    let customers = Customers { changes, view: context.view(&customers()) };
    OpenApiRouter::new().routes(routes!(put, get)).with_state(customers)
}

/// Creates a customer, or changes it from the version that the client has seen
///
/// The request is journaled, then decided. Of all who change the same version one succeeds; the others are told how the
/// customer is now.
#[utoipa::path(put, path = "/v1/customers/{id}", request_body = NewCustomer, params(PathId, Precondition, Call),
    responses(CommandRefusal,
        (status = 200, description = "The customer is changed", body = CustomerDocument,
            headers(("ETag" = String, description = "The new version"))),
        (status = 201, description = "The customer is created", body = CustomerDocument,
            headers(("ETag" = String, description = "The version"), ("Location" = String, description = "Where it is"))),
        (status = 202, description = "The request is journaled and will be decided",
            headers(("Location" = String, description = "Where the customer will be"))),
        (status = 412, description = "The customer is not in the version to change; `customer` is how it is now",
            body = Problem, content_type = "application/problem+json",
            headers(("ETag" = String, description = "The current version, if there is one"))),
        (status = 428, description = "There is neither `If-Match` nor `If-None-Match`",
            body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn put(
    State(customers): State<Customers>,
    PathId(id): PathId,
    precondition: Precondition,
    call: Call,
) -> Result<Response, Problem> {
    let request =
        NewCustomer::read(&call.body)?.requested(&call, number(&id)?, precondition, customers.changes.new_id());
    let location = [(header::LOCATION, format!("/v1/customers/{id}"))];
    match customers.changes.submit(&call, &request, |decisions| decisions.on(&request.request_id)).await? {
        Some(decision) if decision.is_accepted => {
            let customer = domain::requested(&request, decision.version);
            let answer = ([etag(customer.version)], Json(CustomerDocument::from(customer)));
            match decision.version {
                1 => Ok((StatusCode::CREATED, location, answer).into_response()),
                _ => Ok(answer.into_response()),
            }
        }
        Some(_) => Err(customers.not_as_expected(&id).await),
        None => Ok((StatusCode::ACCEPTED, location).into_response()),
    }
}

/// A customer as soon as it exists
#[utoipa::path(get, path = "/v1/customers/{id}",
    params(BlockingRead,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the version that is known already")),
    responses(ReadRefusal,
        (status = 200, description = "The customer", body = CustomerDocument,
            headers(("ETag" = String, description = "The version"))),
        (status = 304, description = "The customer is in the version that is known already")),
)]
async fn get(State(customers): State<Customers>, headers: HeaderMap, read: BlockingRead) -> Result<Response, Problem> {
    number(&read.id)?;
    let customer = customers.view.read(&read, Some).await?;
    let tag = [etag(customer.version)];
    if is_known(&headers, customer.version) {
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    Ok((tag, Json(CustomerDocument::from(customer))).into_response())
}

impl Customers {
    /// 412, with the customer as it is now, if there is one: the decision shows only when what it rests on does.
    async fn not_as_expected(&self, id: &str) -> Problem {
        let refusal = |detail| Problem::new(StatusCode::PRECONDITION_FAILED, detail);
        match self.view.get(id).await {
            Ok(Some(customer)) => {
                let (name, tag) = etag(customer.version);
                let problem = refusal("The customer is in another version: see what has changed, and try again.");
                problem.header(name, tag).with("customer", CustomerDocument::from(customer))
            }
            _ => refusal("There is no such customer."),
        }
    }
}

/// An id in an address, written in the one way in which we write it.
fn number(id: &str) -> Result<i64, Problem> {
    let number = id.parse().ok().filter(|number: &i64| *number > 0 && number.to_string() == id);
    number.ok_or_else(|| Problem::invalid_parameter("id", "must be a whole number of 1 or more"))
}
