use sqlx::PgConnection;

use super::Question;
use super::documents::Mail;

/// Mails that went out, newest first.
#[derive(Debug)]
pub struct MailList {
    /// Behind this one: when it was sent, and its id.
    pub after: Option<(i64, String)>,
    pub limit: i64,
}

impl Question for MailList {
    type Answer = Vec<Mail>;

    async fn asked(&self, view: &mut PgConnection) -> sqlx::Result<Self::Answer> {
        const LIST: &str = "
            SELECT id, order_id, kind, subject, sent_at_ms AS sent_at FROM mails
            WHERE ($1::bigint IS NULL OR (sent_at_ms, id) < ($1, $2))
            ORDER BY sent_at_ms DESC, id DESC LIMIT $3";
        let (sent_at_ms, id) = self.after.as_ref().map(|(sent_at_ms, id)| (*sent_at_ms, id)).unzip();
        sqlx::query_as(LIST).bind(sent_at_ms).bind(id).bind(self.limit).fetch_all(view).await
    }
}
