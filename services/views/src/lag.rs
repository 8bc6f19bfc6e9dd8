//! Tells how far every group is, so that somebody hears of a service that stands still or is gone: it does not say so itself.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use service_kit::{BrowseError, Context, Reading, observe};
use tokio::time::{MissedTickBehavior, interval};

use crate::cluster::{Cluster, ClusterDocument};
use crate::db::read::Reads;
use crate::options::Options;

/// What was found when the cluster was looked at last; nothing, if it could not be looked at.
type Look = Arc<Mutex<Option<Result<ClusterDocument, BrowseError>>>>;

/// Looks until the process stops. The metrics have the names that they have in Prometheus' exporter for Kafka.
pub async fn watch(context: Context<Options>) -> anyhow::Result<()> {
    let (look, stopping) = (Look::default(), context.stopping());
    tell(&look);
    tokio::select! {
        () = stopping.cancelled() => Ok(()),
        never = keep_looking(context, &look) => match never {},
    }
}

async fn keep_looking(context: Context<Options>, look: &Look) -> Infallible {
    let options = context.options();
    let cluster = Cluster::new(&context, Reads::new(&options.database_url));
    let mut ticks = interval(options.lag_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let seen = cluster.look().await;
        // That somebody else is looking just now says nothing of the broker.
        if !matches!(seen, Err(BrowseError::Busy)) {
            *look.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        }
    }
}

fn tell(look: &Look) {
    let read = |of: fn(&ClusterDocument) -> Vec<Reading>| {
        let look = look.clone();
        move || match &*look.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(seen)) => of(seen),
            _ => Vec::new(),
        }
    };
    let (lags, members, ends) = (ClusterDocument::lags, ClusterDocument::member_counts, ClusterDocument::ends);
    observe("kafka_consumergroup_lag", "Records of a partition that a group has not done yet", read(lags));
    observe("kafka_consumergroup_members", "Members of a group", read(members));
    observe("kafka_topic_partition_current_offset", "The offset behind the last record of a partition", read(ends));
    let look = look.clone();
    observe("views_broker_reachable", "1 if the broker has answered the last look at all groups, else 0", move || {
        let seen = look.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|seen| Reading::new(seen.is_ok().into(), [])).collect()
    });
}
