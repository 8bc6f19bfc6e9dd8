mod changes;
mod cursor;
mod customers;
mod mails;
mod minutes;
mod orders;
mod page;
mod refusals;
mod stock;
mod topics;

use axum::Json;
use service_kit::http::Problem;
use service_kit::{Browser, Clock, Context};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::cluster::Cluster;
use crate::db::read::Reads;
use crate::feed::Feed;
use crate::options::Options;

/// What requests are answered with.
#[derive(Clone, Debug)]
struct Site {
    reads: Reads,
    feed: Feed,
    cluster: Cluster,
    browser: Browser,
    clock: Clock,
    stopping: CancellationToken,
}

type Answer<T> = Result<Json<T>, Problem>;

/// What is answered over HTTP; pages are told by the feed.
pub fn router(context: &Context<Options>, feed: Feed) -> OpenApiRouter {
    let reads = Reads::new(&context.options().database_url);
    let site = Site {
        cluster: Cluster::new(context, reads.clone()),
        browser: context.browser(),
        clock: context.clock(),
        stopping: context.stopping(),
        reads,
        feed,
    };
    OpenApiRouter::new()
        .routes(routes!(orders::list))
        .routes(routes!(orders::get))
        .routes(routes!(stock::list))
        .routes(routes!(customers::get))
        .routes(routes!(minutes::count))
        .routes(routes!(mails::list))
        .routes(routes!(topics::cluster))
        .routes(routes!(topics::list))
        .routes(routes!(topics::records))
        .routes(routes!(topics::schema))
        .routes(routes!(changes::follow))
        .with_state(site)
        .merge(page::router(context.options()))
}
