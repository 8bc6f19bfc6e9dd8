//! Fails the orders of a customer who spends too much within a session of activity.

mod domain;
mod options;
mod topology;

use std::process::ExitCode;

use options::Options;
use service_kit::Service;

fn main() -> ExitCode {
    Service::<Options>::new(domain::CHECK).topology(topology::topology).run()
}
