//! What clients ask of the service, and what pages are told.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Response;
use serde_json::Value;
use test_kit::{HTTP, Service, answer, problem};
use tokio::time::timeout;

/// By when a page has been told what a test waits for, also on a busy machine.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

/// `GET` of a path.
pub async fn get(service: &Service, path: &str) -> reqwest::Result<Response> {
    HTTP.get(service.url() + path).send().await
}

/// The answer to a `GET` that goes well.
pub async fn read(service: &Service, path: &str) -> anyhow::Result<Value> {
    answer(get(service, path).await?, 200).await.with_context(|| path.to_string())
}

/// The problem that a `GET` is answered with.
pub async fn refused(service: &Service, path: &str, status: u16) -> anyhow::Result<Value> {
    problem(get(service, path).await?, status).await.with_context(|| path.to_string())
}

/// The members of that name of all entries of a list.
pub fn all<'v>(list: &'v Value, name: &str) -> Vec<&'v str> {
    list.as_array().into_iter().flatten().filter_map(|entry| entry[name].as_str()).collect()
}

/// An open page.
pub struct Page {
    response: Response,
    /// Received and not read yet.
    received: Vec<u8>,
}

/// What a page is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub event: String,
    pub id: Option<String>,
    pub data: Value,
}

impl Page {
    /// One that begins, or goes on where it was.
    pub async fn opened(service: &Service, last_event_id: Option<&str>) -> anyhow::Result<Self> {
        let request = HTTP.get(service.url() + "/v1/changes");
        let request = match last_event_id {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        let response = request.send().await?.error_for_status()?;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self { response, received: Vec::new() })
    }

    /// One that has been greeted, and the position of the greeting.
    pub async fn greeted(service: &Service) -> anyhow::Result<(Self, String)> {
        let mut page = Self::opened(service, None).await?;
        let hello = page.next_but_status().await?;
        assert_eq!(hello.event, "hello");
        Ok((page, hello.id.context("a greeting has a position")?))
    }

    /// The next event of any kind; nothing, if the stream has ended.
    pub async fn next(&mut self) -> anyhow::Result<Option<Told>> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.received.drain(..end + 2).collect();
                match told(std::str::from_utf8(&block)?)? {
                    Some(told) => return Ok(Some(told)),
                    None => continue,
                }
            }
            let chunk = timeout(TOLD_WITHIN, self.response.chunk()).await.context("the page is told nothing")?;
            match chunk? {
                Some(chunk) => self.received.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// The next event that is about the view.
    pub async fn next_but_status(&mut self) -> anyhow::Result<Told> {
        loop {
            match self.next().await?.context("the stream has ended")? {
                told if told.event == "status" => {}
                told => return Ok(told),
            }
        }
    }

    /// The next word on how the parts are that is as wanted.
    pub async fn status(&mut self, is_wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let waited = timeout(TOLD_WITHIN, async {
            loop {
                let told = self.next().await?.context("the stream has ended")?;
                if told.event == "status" && is_wanted(&told.data) {
                    return Ok(told.data);
                }
            }
        });
        waited.await.context("no such status")?
    }

    /// All that is told of changes until the last of them is as wanted.
    pub async fn changes_until(&mut self, is_last: impl Fn(&Value) -> bool) -> anyhow::Result<Vec<Told>> {
        let mut changes = Vec::new();
        loop {
            let told = self.next_but_status().await?;
            if told.event != "changes" {
                bail!("not a change: {told:?}");
            }
            let is_over = is_last(&told.data);
            changes.push(told);
            if is_over {
                return Ok(changes);
            }
        }
    }
}

/// An event; nothing for a comment.
fn told(block: &str) -> anyhow::Result<Option<Told>> {
    let (mut event, mut id, mut data) = (None, None, None);
    for line in block.trim_end().lines() {
        match line.split_once(':').context("a field has a name")? {
            ("", _) => {}
            ("event", name) => event = Some(name.trim().to_string()),
            ("id", position) => id = Some(position.trim().to_string()),
            ("data", json) => data = Some(serde_json::from_str(json)?),
            (other, _) => bail!("no field is called {other}"),
        }
    }
    Ok(event.zip(data).map(|(event, data)| Told { event, id, data }))
}
