//! Checks the facts of every order by itself.

mod domain;
mod options;
mod topology;

use std::process::ExitCode;

use options::Options;
use service_kit::Service;

fn main() -> ExitCode {
    Service::<Options>::new(domain::CHECK).topology(topology::topology).run()
}
