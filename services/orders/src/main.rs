//! The single writer of orders: journals requests, folds them and the verdicts of the checks into orders, and answers for
//! them over HTTP.

mod domain;
mod http;
mod options;
mod topology;

use std::process::ExitCode;

use options::Options;
use service_kit::Service;
use shared_schemas::ORDER_REQUESTS;

fn main() -> ExitCode {
    Service::<Options>::new("orders").topology(topology::topology).journals(&ORDER_REQUESTS).http(http::router).run()
}
