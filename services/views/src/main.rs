//! Shows what the log tells as tables in PostgreSQL, which can be thrown away and built anew at any time.

mod db;
mod domain;
mod log;
mod options;
mod projector;

use std::process::ExitCode;

use options::Options;
use service_kit::Service;

fn main() -> ExitCode {
    Service::<Options>::new("views").sinks_of(log::topics).task("the projector", projector::start).run()
}
