use std::error::Error;
use std::time::Duration;

use anyhow::Context;
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde::Serialize;
use shared_schemas::MailDue;

use super::Outcome;
use crate::options::Options;

/// A provider that takes mails over HTTP, and by `Idempotency-Key` each of them once.
#[derive(Debug)]
pub struct Provider {
    client: Client,
    url: Url,
    token: Option<String>,
    from: String,
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    from: &'a str,
    to: Recipient<'a>,
    subject: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct Recipient<'a> {
    name: &'a str,
    address: &'a str,
}

impl Provider {
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        let url = options.provider_url.parse().with_context(|| format!("--provider-url {}", options.provider_url))?;
        let client = Client::builder().timeout(options.send_timeout).redirect(Policy::none()).build()?;
        Ok(Self { client, url, token: options.provider_token.clone(), from: options.mail_from.clone() })
    }

    pub async fn send(&self, mail: &MailDue) -> Outcome {
        let to = Recipient { name: &mail.recipient_name, address: &mail.recipient_address };
        let body = Body { from: &self.from, to, subject: &mail.subject, text: &mail.text };
        let mut request =
            self.client.post(self.url.clone()).header("Idempotency-Key", &mail.idempotency_key).json(&body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        match request.send().await {
            Ok(response) => outcome(response).await,
            Err(error) if error.is_builder() => Outcome::Lasting(with_causes(&error)),
            Err(error) => Outcome::Passing { cause: with_causes(&error), after: None },
        }
    }
}

async fn outcome(response: Response) -> Outcome {
    const MOST_TEXT: usize = 200;
    let status = response.status();
    // A conflict is about the key: the provider has the mail already.
    if status.is_success() || status == StatusCode::CONFLICT {
        return Outcome::Sent;
    }
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let text: String = response.text().await.unwrap_or_default().chars().take(MOST_TEXT).collect();
    let cause = format!("the provider says {status}: {text}");
    match status {
        // These are about us, not about the mail.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::Passing { cause, after: None },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Outcome::Passing { cause, after: after.map(Duration::from_secs) }
        }
        status if status.is_client_error() => Outcome::Lasting(cause),
        _ => Outcome::Passing { cause, after: after.map(Duration::from_secs) },
    }
}

/// An error of this library says what went wrong only in its causes.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
