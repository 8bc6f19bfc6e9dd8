use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use lettre::message::Mailbox;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::response::Severity;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use shared_schemas::MailDue;
use uuid::Uuid;

use super::Outcome;
use crate::options::Options;

/// A mail server. It takes a repeated mail for another one; by its equal `Message-ID` whoever reads it can tell.
#[derive(Debug)]
pub struct Server {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

impl Server {
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        let from = options.mail_from.parse().with_context(|| format!("--mail-from {}", options.mail_from))?;
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&options.smtp_url).context("--smtp-url")?;
        // The pool looks after idle connections; it does so seldom, and a server may hang up first.
        let pool = PoolConfig::new().max_size(u32::try_from(options.send_concurrency)?);
        let transport = builder.timeout(Some(options.send_timeout)).pool_config(pool).build();
        Ok(Self { transport, from, timeout: options.send_timeout })
    }

    pub async fn send(&self, mail: &MailDue) -> Outcome {
        let message = match self.message(mail) {
            Ok(message) => message,
            Err(error) => return Outcome::Lasting(format!("it makes no mail: {error:#}")),
        };
        // The time-out of the library is for connecting alone.
        let sent = tokio::time::timeout(self.timeout, self.transport.send(message)).await;
        let Ok(sent) = sent else { return passing("the mail server did not answer in time".to_string()) };
        let Err(error) = sent else { return Outcome::Sent };
        let cause = format!("the mail server: {error}");
        let is_refused = error.status().is_some_and(|code| {
            // 53x is about us, not about the mail (RFC 4954).
            let is_about_us = code.to_string().starts_with("53");
            code.severity == Severity::PermanentNegativeCompletion && !is_about_us
        });
        // What the server cannot do (TLS, authentication) is about us, too.
        if is_refused { Outcome::Lasting(cause) } else { passing(cause) }
    }

    /// The same bytes at every repetition.
    fn message(&self, mail: &MailDue) -> anyhow::Result<Message> {
        let to = Mailbox::new(Some(mail.recipient_name.clone()), mail.recipient_address.parse()?);
        let due = u64::try_from(mail.due_at.as_millis()).unwrap_or(0);
        Ok(Message::builder()
            .message_id(Some(message_id(&mail.idempotency_key)))
            .date(UNIX_EPOCH + Duration::from_millis(due))
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject.clone())
            .body(mail.text.clone())?)
    }
}

fn passing(cause: String) -> Outcome {
    Outcome::Passing { cause, after: None }
}

/// The `Message-ID` (RFC 5322, section 3.6.4) of the mail with this key.
fn message_id(key: &str) -> String {
    /// Names the space in which ids are derived from keys (RFC 9562, section 5.5). It must never change.
    const MAILS: Uuid = Uuid::from_u128(0x0c3d_95a4_77f0_4a51_8d2e_5b1c_6a0e_f3b9);
    format!("<{}@millrace>", Uuid::new_v5(&MAILS, key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_has_the_same_message_id_at_every_repetition_and_another_mail_another() {
        assert_eq!(message_id("first/confirmation"), message_id("first/confirmation"));
        assert_ne!(message_id("first/confirmation"), message_id("first/rejection"));
        assert!(message_id("first/confirmation").ends_with("@millrace>"));
    }
}
