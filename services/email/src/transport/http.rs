use std::error::Error;
use std::time::Duration;

use anyhow::Context;
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
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
    token: Option<HeaderValue>,
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
        let token =
            options.provider_token.as_ref().map(|token| HeaderValue::try_from(format!("Bearer {}", token.trim())));
        let token = token.transpose().context("--provider-token")?;
        Ok(Self { client, url, token, from: options.mail_from.clone() })
    }

    pub async fn send(&self, mail: &MailDue) -> Outcome {
        let to = Recipient { name: &mail.recipient_name, address: &mail.recipient_address };
        let body = Body { from: &self.from, to, subject: &mail.subject, text: &mail.text };
        let mut request =
            self.client.post(self.url.clone()).header("Idempotency-Key", &mail.idempotency_key).json(&body);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        match request.send().await {
            Ok(response) => outcome(response).await,
            Err(error) => Outcome::Passing { cause: with_causes(&error), after: None },
        }
    }
}

async fn outcome(response: Response) -> Outcome {
    const MOST_TEXT: usize = 200;
    let status = response.status();
    if status.is_success() {
        return Outcome::Sent;
    }
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let text: String = response.text().await.unwrap_or_default().chars().take(MOST_TEXT).collect();
    let cause = format!("the provider says {status}: {text}");
    match status {
        // These are about us, not about the mail.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::Passing { cause, after: None },
        StatusCode::CONFLICT => Outcome::Known(cause),
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
