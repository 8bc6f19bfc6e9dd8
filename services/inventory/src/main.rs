//! Owns the stock: promises pieces to orders, and tells the level of every product.

mod domain;
mod options;
mod topology;

use std::process::ExitCode;

use options::Options;
use service_kit::Service;

fn main() -> ExitCode {
    Service::<Options>::new(domain::CHECK).topology(topology::topology).run()
}
