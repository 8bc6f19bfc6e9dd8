use utoipa::IntoResponses;

use super::Problem;

/// How a command may be refused before it is decided on, to describe an operation: `responses(…, CommandRefusal)`.
#[derive(Debug, IntoResponses)]
pub enum CommandRefusal {
    /// 400
    #[response(
        status = 400,
        content_type = "application/problem+json",
        description = "The body is not well-formed JSON, or a parameter or header cannot be understood"
    )]
    Malformed(Problem),
    /// 413
    #[response(status = 413, content_type = "application/problem+json", description = "The body is too large")]
    TooLarge(Problem),
    /// 415
    #[response(
        status = 415,
        content_type = "application/problem+json",
        description = "The body is not `application/json`"
    )]
    NoJson(Problem),
    /// 422
    #[response(
        status = 422,
        content_type = "application/problem+json",
        description = "Some fields are not acceptable; `errors` names them"
    )]
    Invalid(Problem),
    /// 503
    #[response(status = 503, content_type = "application/problem+json",
        description = "The journal does not answer: repeat the request under the same id",
        headers(("Retry-After" = u64, description = "Seconds")))]
    NotJournaled(Problem),
}

/// How a blocking read may fail, to describe an operation: `responses(…, ReadRefusal)`.
#[derive(Debug, IntoResponses)]
pub enum ReadRefusal {
    /// 400
    #[response(
        status = 400,
        content_type = "application/problem+json",
        description = "The id or the timeout cannot be understood"
    )]
    Malformed(Problem),
    /// 404
    #[response(
        status = 404,
        content_type = "application/problem+json",
        description = "There is nothing to show, and the request does not wait"
    )]
    NotFound(Problem),
    /// 503
    #[response(status = 503, content_type = "application/problem+json",
        description = "Nobody serves the id at the moment, and the request does not wait",
        headers(("Retry-After" = u64, description = "Seconds")))]
    NotServed(Problem),
    /// 504
    #[response(status = 504, content_type = "application/problem+json", description = "There was nothing in time")]
    TimedOut(Problem),
}
