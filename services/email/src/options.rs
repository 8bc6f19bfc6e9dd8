use std::time::Duration;

use clap::ValueEnum;
use service_kit::milliseconds;

/// Mails customers once per order: a confirmation when it is validated and paid, a rejection when it failed
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Milliseconds that order and payment may be apart, whichever comes first, in event time
    #[arg(long = "payment-window-ms", env = "PAYMENT_WINDOW_MS", default_value = "3600000", value_name = "MS")]
    #[arg(value_parser = milliseconds)]
    pub payment_window: Duration,

    /// Milliseconds for which a window that is over still takes what is late, in event time; longer than the longest outage
    #[arg(long = "grace-ms", env = "GRACE_MS", default_value = "86400000", value_name = "MS")]
    #[arg(value_parser = milliseconds)]
    pub grace: Duration,

    /// Milliseconds for which an order waits for the record of its customer, before it goes to the dead letters
    #[arg(long = "customer-wait-ms", env = "CUSTOMER_WAIT_MS", default_value = "60000", value_name = "MS")]
    #[arg(value_parser = milliseconds)]
    pub customer_wait: Duration,

    /// Where the sender keeps what it has sent, and how far it is
    #[arg(long, env = "DATABASE_URL", default_value = "postgres://postgres@127.0.0.1:5432/email", value_name = "URL")]
    pub database_url: String,

    /// How mails leave
    #[arg(long, env = "TRANSPORT", default_value = "smtp", value_name = "TRANSPORT")]
    pub transport: TransportKind,

    /// The mail server, as smtp://host:port, or smtps:// for TLS, with user:password@ where it asks for that
    #[arg(long, env = "SMTP_URL", default_value = "smtp://127.0.0.1:1025", value_name = "URL")]
    pub smtp_url: String,

    /// Where the HTTP provider takes mails (POST)
    #[arg(long, env = "PROVIDER_URL", default_value = "http://127.0.0.1:8025/v1/mails", value_name = "URL")]
    pub provider_url: String,

    /// What the HTTP provider knows us by (Authorization: Bearer)
    #[arg(long, env = "PROVIDER_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub provider_token: Option<String>,

    /// Who mails are from
    #[arg(long, env = "MAIL_FROM", default_value = "Millrace <shop@millrace.example>", value_name = "MAILBOX")]
    pub mail_from: String,

    /// Milliseconds in which a mail must be taken; below the drain deadline
    #[arg(long = "send-timeout-ms", env = "SEND_TIMEOUT_MS", default_value = "5000", value_name = "MS")]
    #[arg(value_parser = milliseconds)]
    pub send_timeout: Duration,

    /// Mails on their way at the same time
    #[arg(long, env = "SEND_CONCURRENCY", default_value = "32", value_name = "NUMBER", value_parser = concurrency)]
    pub send_concurrency: usize,

    /// Milliseconds for which a mail that fails for the time being is tried, before it goes to the dead letters
    #[arg(long = "retry-for-ms", env = "RETRY_FOR_MS", default_value = "86400000", value_name = "MS")]
    #[arg(value_parser = milliseconds)]
    pub retry_for: Duration,
}

/// How mails leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TransportKind {
    /// To a mail server
    Smtp,
    /// To a provider with an HTTP interface that honours Idempotency-Key
    Http,
}

fn concurrency(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1000) => Ok(number),
        _ => Err("a whole number between 1 and 1000 is wanted".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_one_mail_is_on_its_way_and_at_most_a_thousand() {
        assert_eq!((concurrency("1"), concurrency("1000")), (Ok(1), Ok(1000)));
        for text in ["0", "1001", "-1", "many", ""] {
            assert!(concurrency(text).is_err(), "{text}");
        }
    }
}
