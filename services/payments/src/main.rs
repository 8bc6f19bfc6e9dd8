//! The single writer of payments: journals what it is told, counts each payment once, and answers for them over HTTP.

mod domain;
mod http;
mod options;
mod topology;

use std::process::ExitCode;

use options::Options;
use service_kit::Service;
use shared_schemas::PAYMENT_REQUESTS;

fn main() -> ExitCode {
    Service::<Options>::new("payments")
        .topology(topology::topology)
        .journals(&PAYMENT_REQUESTS)
        .http(http::router)
        .run()
}
