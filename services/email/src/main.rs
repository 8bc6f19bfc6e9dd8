//! Mails customers once per order, and sends what the outbox holds.

mod attempt;
mod db;
mod domain;
mod options;
mod prefix;
mod sender;
mod topology;
mod transport;

use std::process::ExitCode;

use options::Options;
use service_kit::Service;
use shared_schemas::{EMAIL_OUTBOX, MAILS_SENT};

fn main() -> ExitCode {
    Service::<Options>::new("email")
        .topology(topology::topology)
        .sinks(&EMAIL_OUTBOX)
        .journals(&MAILS_SENT)
        .task("the sender", sender::start)
        .run()
}
