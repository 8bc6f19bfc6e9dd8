use std::convert::Infallible;

use axum::body::Body;
use futures_util::stream;
use tokio::sync::{broadcast, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::frame::{self, Frame};
use super::{DATABASE_INTERVAL, Feed, Message};
use crate::db::read::{News, Position, ReadError, Reads, Since};

/// One open page, and how far it is.
///
/// It hears all that is told from its first moment, and asks for itself what happened before. Where the two do not fit
/// together it asks again, so that nothing is lost whatever the order in which they come.
#[derive(Debug)]
pub struct Page {
    messages: broadcast::Receiver<Message>,
    database: watch::Receiver<Option<String>>,
    reads: Reads,
    stopping: CancellationToken,
    /// What it has been told, or says it has.
    at: Option<Position>,
    /// Whether it goes on from there with what is told to all.
    is_following: bool,
}

impl Page {
    /// A page that says where it was, if it was anywhere.
    pub fn opened(feed: &Feed, reads: Reads, last_event_id: Option<&str>, stopping: CancellationToken) -> Self {
        // One that is no position is of none that we know, so that everything is read anew.
        let unknown = || Position { generation: String::new(), change: 0 };
        let at = last_event_id.map(|id| id.parse().unwrap_or_else(|()| unknown()));
        let (messages, database) = (feed.subscribed(), feed.0.database.subscribe());
        Self { messages, database, reads, stopping, at, is_following: false }
    }

    /// Its events, until it hangs up, falls too far behind, or the process stops.
    pub fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(self, |mut page| async move {
            let frame = page.next().await?;
            Some((Ok::<_, Infallible>(frame), page))
        }))
    }

    async fn next(&mut self) -> Option<Frame> {
        let stopping = self.stopping.clone();
        tokio::select! {
            () = stopping.cancelled() => None,
            frame = self.next_frame() => frame,
        }
    }

    async fn next_frame(&mut self) -> Option<Frame> {
        loop {
            if self.is_following {
                let message = self.messages.recv().await.ok()?;
                if let Some(frame) = self.taken(message) {
                    return Some(frame);
                }
            } else if let Some(frame) = self.before_following().await? {
                return Some(frame);
            }
        }
    }

    /// While the database is away there is something to say, but nothing of the view.
    async fn before_following(&mut self) -> Option<Option<Frame>> {
        tokio::select! {
            _ = self.database.wait_for(Option::is_none) => {}
            message = self.messages.recv() => return Some(message.ok()?.aside()),
        }
        let caught_up = self.catch_up().await;
        if caught_up.is_err() {
            sleep(DATABASE_INTERVAL).await;
        }
        Some(caught_up.ok())
    }

    /// Asks for what has happened since it was told last; it follows from here on.
    async fn catch_up(&mut self) -> Result<Frame, ReadError> {
        let news = self.reads.ask(&News { since: self.at.as_ref(), awaited: &[] }).await?;
        let before = self.at.replace(news.position.clone());
        self.is_following = true;
        Ok(match (before, news.since) {
            (None, _) => frame::hello(&news.position),
            (Some(_), Since::Lost) => frame::reset(&news.position),
            (Some(_), since) => frame::changes(&news.position, &since).unwrap_or_else(frame::comment),
        })
    }

    /// What a message means to it.
    fn taken(&mut self, message: Message) -> Option<Frame> {
        let Some(here) = &self.at else { return None };
        match message {
            Message::Aside(frame) => Some(frame),
            Message::Reset { at, .. } | Message::Changed { at, .. } if at.is_before(here) => None,
            Message::Reset { at, frame } => {
                self.at = Some(at);
                Some(frame)
            }
            // Of tables that it has left, or that it will hear of.
            Message::Changed { at, .. } if at.generation != here.generation => None,
            Message::Changed { since, .. } if !since.is_before(here) => {
                self.is_following = false;
                None
            }
            Message::Changed { at, frame, .. } => {
                self.at = Some(at);
                frame
            }
        }
    }
}

impl Message {
    /// What is to be said whatever a page knows.
    fn aside(self) -> Option<Frame> {
        if let Self::Aside(frame) = self { Some(frame) } else { None }
    }
}

#[cfg(test)]
mod tests;
