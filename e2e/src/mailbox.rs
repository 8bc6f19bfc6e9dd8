use anyhow::Context;
use local::Addresses;
use reqwest::{Client, StatusCode};
use serde::Deserialize;

/// The mailbox of a stack, in which everybody finds their mails.
#[derive(Clone, Debug)]
pub struct Mailbox {
    http: Client,
    url: String,
}

/// A mail as it arrived.
#[derive(Clone, Debug, Deserialize)]
pub struct Mail {
    /// The same if the mail is a repetition of another.
    #[serde(rename = "Message-ID")]
    pub message_id: String,
    pub subject: String,
    /// All of it: headers and text.
    #[serde(rename = "mimeMessage")]
    pub source: String,
}

impl Mailbox {
    /// The mailbox of the stack at these addresses.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn of(addresses: &Addresses) -> anyhow::Result<Self> {
        Ok(Self { http: Client::builder().no_proxy().build()?, url: addresses.mailbox_url.clone() })
    }

    /// All mails to an address. There are none to one that the mailbox has never heard of.
    ///
    /// # Errors
    /// If there is no answer, or it is not understood.
    pub async fn mails(&self, address: &str) -> anyhow::Result<Vec<Mail>> {
        let answer = self.http.get(format!("{}/api/user/{address}/messages", self.url)).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        if status == StatusCode::BAD_REQUEST && body.contains("not found") {
            return Ok(Vec::new());
        }
        anyhow::ensure!(status.is_success(), "the mailbox answers {status} {body}");
        serde_json::from_str(&body).with_context(|| format!("no mails: {body}"))
    }
}
