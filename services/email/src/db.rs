//! What the sender remembers: how far each partition is done, and what became of each mail.
//!
//! Every statement is about many mails at once, since each costs a flush of the server's log.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use service_kit::{TopicPartition, failure_point};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use streams::Timestamp;

/// The database of the service.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
    /// Names the slot of this instance: a process that comes back in it goes on with what the one before had claimed.
    claimant: String,
    /// How long a claim holds that nobody renews.
    lease: Duration,
}

/// Where a mail stands in the outbox.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub source: TopicPartition,
    pub offset: i64,
}

/// What became of the attempt to claim a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours to send.
    Ours,
    /// It was sent before, at this moment.
    Sent(Timestamp),
    /// It was given up before.
    Dead,
    /// Somebody else is sending it.
    Taken,
}

/// The end of a mail, and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Sent(Timestamp),
    Dead(Timestamp),
}

/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

impl Db {
    /// Connects at the first use.
    ///
    /// # Errors
    /// The URL is none.
    pub fn new(url: &str, claimant: String, lease: Duration) -> sqlx::Result<Self> {
        // Whoever forgets what was sent sends it again, so that this does not depend on the server's default.
        let options = PgConnectOptions::from_str(url)?.options([("synchronous_commit", "on")]);
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(PATIENCE).connect_lazy_with(options);
        Ok(Self { pool, claimant, lease })
    }

    /// Makes the tables what this version wants them to be.
    pub async fn migrate(&self) -> sqlx::Result<()> {
        // Over a connection that ends with this call, whatever becomes of it: the lock that is taken is the session's.
        let options = PgConnectOptions::clone(&self.pool.connect_options());
        let alone = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_lazy_with(options);
        sqlx::migrate!().run(&alone).await?;
        alone.close().await;
        Ok(())
    }

    /// The positions of these partitions, as far as there are any.
    pub async fn positions(&self, partitions: &[TopicPartition]) -> sqlx::Result<Vec<(TopicPartition, i64)>> {
        const SELECT: &str = "SELECT topic, partition, next_offset FROM positions";
        let known: Vec<(String, i32, i64)> = sqlx::query_as(SELECT).fetch_all(&self.pool).await?;
        let is_asked_for = |(at, _): &(TopicPartition, i64)| partitions.contains(at);
        let known =
            known.into_iter().map(|(topic, partition, next)| (TopicPartition { topic: topic.into(), partition }, next));
        Ok(known.filter(is_asked_for).collect())
    }

    /// Claims mails, so that nobody else sends them at the same time. What the same slot had claimed of the same place in
    /// the outbox is claimed again, and so is what was claimed too long ago.
    pub async fn claim(&self, mails: &[Entry]) -> sqlx::Result<Vec<Claim>> {
        // One key may be there twice, but one statement changes no row twice. In the order of keys nobody waits in a circle.
        const CLAIM: &str = r#"
            INSERT INTO mails (idempotency_key, topic, partition, "offset", state, claimed_by, claimed_at, attempts)
            SELECT DISTINCT ON (idempotency_key) idempotency_key, topic, partition, "offset", 'claimed', $5, now(), 1
            FROM UNNEST($1::text[], $2::text[], $3::integer[], $4::bigint[])
                AS due (idempotency_key, topic, partition, "offset")
            ORDER BY idempotency_key, "offset"
            ON CONFLICT (idempotency_key) DO UPDATE
            SET topic = EXCLUDED.topic, partition = EXCLUDED.partition, "offset" = EXCLUDED."offset",
                claimed_by = EXCLUDED.claimed_by, claimed_at = now(), attempts = mails.attempts + 1
            WHERE mails.state = 'claimed' AND (
                mails.claimed_at < now() - make_interval(secs => $6)
                OR (mails.claimed_by, mails.topic, mails.partition, mails."offset")
                    = (EXCLUDED.claimed_by, EXCLUDED.topic, EXCLUDED.partition, EXCLUDED."offset"))
            RETURNING idempotency_key, "offset""#;
        // A mail of this very place is ours, one of another place that is claimed as well has to wait for that.
        const LOOK: &str = "
            SELECT idempotency_key, state = 'sent', (extract(epoch FROM finished_at) * 1000)::bigint
            FROM mails WHERE state <> 'claimed' AND idempotency_key = ANY($1)";

        failure_point("before-claim");
        let keys: Vec<&str> = mails.iter().map(|mail| mail.key.as_str()).collect();
        let claimed: Vec<(String, i64)> = sqlx::query_as(CLAIM)
            .bind(&keys)
            .bind(mails.iter().map(|mail| &*mail.source.topic).collect::<Vec<_>>())
            .bind(mails.iter().map(|mail| mail.source.partition).collect::<Vec<_>>())
            .bind(mails.iter().map(|mail| mail.offset).collect::<Vec<_>>())
            .bind(&self.claimant)
            .bind(self.lease.as_secs_f64())
            .fetch_all(&self.pool)
            .await?;
        failure_point("after-claim");
        let claimed: BTreeMap<String, i64> = claimed.into_iter().collect();
        let is_ours = |mail: &Entry| claimed.get(&mail.key) == Some(&mail.offset);
        if mails.iter().all(is_ours) {
            return Ok(vec![Claim::Ours; mails.len()]);
        }
        let finished: Vec<(String, bool, i64)> = sqlx::query_as(LOOK).bind(&keys).fetch_all(&self.pool).await?;
        let end = |(key, is_sent, at)| (key, if is_sent { Claim::Sent(Timestamp(at)) } else { Claim::Dead });
        let finished: BTreeMap<String, Claim> = finished.into_iter().map(end).collect();
        let claim = |mail: &Entry| {
            if is_ours(mail) { Claim::Ours } else { finished.get(&mail.key).copied().unwrap_or(Claim::Taken) }
        };
        Ok(mails.iter().map(claim).collect())
    }

    /// Marks mails as finished.
    pub async fn finish(&self, mails: &[(String, End)]) -> sqlx::Result<()> {
        const FINISH: &str = "
            UPDATE mails SET state = done.state, finished_at = timestamptz 'epoch' + done.at_ms * interval '1 millisecond'
            FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS done (idempotency_key, state, at_ms)
            WHERE mails.idempotency_key = done.idempotency_key AND mails.state = 'claimed'";

        failure_point("before-mark");
        let end = |end: &End| match end {
            End::Sent(at) => ("sent", at.as_millis()),
            End::Dead(at) => ("dead", at.as_millis()),
        };
        sqlx::query(FINISH)
            .bind(mails.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>())
            .bind(mails.iter().map(|(_, ended)| end(ended).0).collect::<Vec<_>>())
            .bind(mails.iter().map(|(_, ended)| end(ended).1).collect::<Vec<_>>())
            .execute(&self.pool)
            .await?;
        failure_point("after-mark");
        Ok(())
    }

    /// Moves positions forward, never back: what an instance says that has lost its partitions meanwhile is still true, but
    /// may be old.
    pub async fn advance(&self, positions: &[(TopicPartition, i64)]) -> sqlx::Result<()> {
        const ADVANCE: &str = "
            INSERT INTO positions (topic, partition, next_offset)
            SELECT * FROM UNNEST($1::text[], $2::integer[], $3::bigint[])
            ON CONFLICT (topic, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset
            WHERE positions.next_offset < EXCLUDED.next_offset";

        sqlx::query(ADVANCE)
            .bind(positions.iter().map(|(at, _)| &*at.topic).collect::<Vec<_>>())
            .bind(positions.iter().map(|(at, _)| at.partition).collect::<Vec<_>>())
            .bind(positions.iter().map(|(_, next)| *next).collect::<Vec<_>>())
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Forgets mails that were finished so long ago that the outbox does not hold them any more, and so cannot repeat them.
    pub async fn forget(&self, older_than: Duration) -> sqlx::Result<u64> {
        const FORGET: &str = r#"
            DELETE FROM mails USING positions
            WHERE mails.finished_at < now() - make_interval(secs => $1)
              AND positions.topic = mails.topic AND positions.partition = mails.partition
              AND mails."offset" < positions.next_offset"#;
        sqlx::query(FORGET).bind(older_than.as_secs_f64()).execute(&self.pool).await.map(|done| done.rows_affected())
    }
}
