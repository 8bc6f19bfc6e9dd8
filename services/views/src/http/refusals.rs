use std::time::Duration;

use service_kit::http::Problem;
use utoipa::IntoResponses;

use crate::db::read::ReadError;

/// How a read may be refused, to describe an operation.
#[derive(Debug, IntoResponses)]
#[expect(dead_code, reason = "describes what is made elsewhere")]
pub enum Refusal {
    /// 400
    #[response(
        status = 400,
        content_type = "application/problem+json",
        description = "A parameter cannot be understood, or is not known"
    )]
    Malformed(Problem),
    /// 503
    #[response(status = 503, content_type = "application/problem+json",
        description = "The database or the broker does not answer",
        headers(("Retry-After" = u64, description = "Seconds")))]
    Away(Problem),
}

/// When to come again.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused(error) => Self::internal(error),
            error => {
                // Whoever writes the tables, or hears of them, has said so in the log.
                tracing::debug!(%error, "a question is not answered");
                Self::unavailable(format!("For now, {}.", error.reason()), RETRY_AFTER)
            }
        }
    }
}
