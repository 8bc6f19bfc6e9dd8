//! Shows what the log tells as tables in PostgreSQL, which can be thrown away and built anew at any time.

mod cluster;
mod db;
mod domain;
mod feed;
mod http;
mod lag;
mod log;
mod options;
mod projector;
mod rebuild;

use std::process::ExitCode;

use feed::Feed;
use options::Options;
use service_kit::Service;

const REBUILD: &str = "Builds the tables anew from the beginning of the log, while the instances go on serving";

fn main() -> ExitCode {
    let feed = Feed::new();
    let told = feed.clone();
    Service::<Options>::new("views")
        .sinks_of(log::topics)
        .browses()
        .http(|context| http::router(context, told))
        .task("the projector", projector::start)
        .task("the feed", |context| feed.run(context))
        .task("the watch over groups", lag::watch)
        .command("rebuild", REBUILD, rebuild::run)
        .run()
}
