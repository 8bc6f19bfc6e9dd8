//! The single writer of customers: journals requests, changes a customer only from the version its client has seen, and
//! answers for them over HTTP.

mod domain;
mod http;
mod options;
mod topology;

use std::process::ExitCode;
use std::time::Duration;

use options::Options;
use service_kit::Service;
use shared_schemas::CUSTOMER_REQUESTS;

/// Each change of a store is a decision that a client waits for.
const COMMIT_INTERVAL: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    Service::<Options>::new("customers")
        .topology(topology::topology)
        .commit_interval(COMMIT_INTERVAL)
        .journals(&CUSTOMER_REQUESTS)
        .http(http::router)
        .run()
}
