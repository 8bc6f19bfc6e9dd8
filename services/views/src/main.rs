//! Shows what the log tells as tables in PostgreSQL, which can be thrown away and built anew at any time.

mod db;
mod domain;
mod log;
mod options;
mod projector;
mod rebuild;

use std::process::ExitCode;

use options::Options;
use service_kit::Service;

const REBUILD: &str = "Builds the tables anew from the beginning of the log, while the instances go on serving";

fn main() -> ExitCode {
    Service::<Options>::new("views")
        .sinks_of(log::topics)
        .task("the projector", projector::start)
        .command("rebuild", REBUILD, rebuild::run)
        .run()
}
