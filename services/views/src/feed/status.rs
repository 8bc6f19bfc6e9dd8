use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use utoipa::ToSchema;

use super::{Feed, Message, frame};
use crate::cluster::{Cluster, ClusterDocument, reason};

/// How the parts are that the page depends on.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusDocument {
    /// Why the database cannot be used; null while it can
    pub database: Option<String>,
    /// Why the broker cannot be asked; null while it can
    pub broker: Option<String>,
    /// Null as long as the broker has not answered
    #[schema(value_type = Option<ClusterDocument>)]
    pub cluster: Option<Arc<ClusterDocument>>,
}

/// What was found when the cluster was looked at last.
type Look = Option<Result<Arc<ClusterDocument>, String>>;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// Longest time between two words on how the parts are.
const LONGEST_SILENCE: Duration = Duration::from_secs(3);
/// So many of them between two signs of life to whatever lies between us and the page.
const COMMENT_EVERY: u32 = 5;

/// Tells pages how the parts are, and looks only while there is one.
pub async fn report(feed: &Feed, cluster: &Cluster) -> Infallible {
    let looks = watch::Sender::new(None);
    tokio::select! {
        never = look(feed, cluster, &looks) => never,
        never = tell(feed, looks.subscribe()) => never,
    }
}

async fn look(feed: &Feed, cluster: &Cluster, looks: &watch::Sender<Look>) -> Infallible {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        feed.watched().await;
        looks.send_replace(Some(cluster.look().await.map(Arc::new).map_err(|error| reason(&error))));
        ticks.tick().await;
    }
}

/// Whenever there is news of one of the parts, and now and then without: a broker that takes long to answer holds up no word of
/// the database.
async fn tell(feed: &Feed, mut looks: watch::Receiver<Look>) -> Infallible {
    let mut database = feed.0.database.subscribe();
    let mut silence = interval(LONGEST_SILENCE);
    let mut until_comment = COMMENT_EVERY;
    loop {
        feed.watched().await;
        // Both senders live as long as this.
        tokio::select! {
            _ = silence.tick() => {}
            _ = database.changed() => {}
            _ = looks.changed() => {}
        }
        silence.reset();
        let reason = database.borrow_and_update().clone();
        let (broker, cluster) = match looks.borrow_and_update().clone() {
            Some(Ok(cluster)) => (None, Some(cluster)),
            Some(Err(reason)) => (Some(reason), None),
            None => (None, None),
        };
        feed.tell(Message::Aside(frame::status(&StatusDocument { database: reason, broker, cluster })));
        until_comment -= 1;
        if until_comment == 0 {
            until_comment = COMMENT_EVERY;
            feed.tell(Message::Aside(frame::comment()));
        }
    }
}
