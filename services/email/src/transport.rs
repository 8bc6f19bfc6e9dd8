//! How a mail leaves, and what its refusal means.

mod http;
mod smtp;

use std::time::Duration;

use shared_schemas::MailDue;

use crate::options::{Options, TransportKind};

/// One of the two ways.
#[derive(Debug)]
pub enum Transport {
    Http(http::Provider),
    Smtp(smtp::Server),
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has been taken, now or before.
    Sent,
    /// It may be taken later, after this time if the other side says one.
    Passing { cause: String, after: Option<Duration> },
    /// The provider has its key already: it was taken before, or an earlier attempt at it is still going on.
    Known(String),
    /// It will never be taken.
    Lasting(String),
}

impl Transport {
    /// The one that is asked for.
    ///
    /// # Errors
    /// What is said about it in the options makes no sense.
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        Ok(match options.transport {
            TransportKind::Http => Self::Http(http::Provider::new(options)?),
            TransportKind::Smtp => Self::Smtp(smtp::Server::new(options)?),
        })
    }

    /// Sends a mail, once.
    pub async fn send(&self, mail: &MailDue) -> Outcome {
        match self {
            Self::Http(provider) => provider.send(mail).await,
            Self::Smtp(server) => server.send(mail).await,
        }
    }
}
