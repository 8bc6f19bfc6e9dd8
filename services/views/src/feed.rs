//! Tells pages and waiting readers what has changed in the view, whichever instance has written it.
//!
//! PostgreSQL passes on the word of each commit. Told of one, the feed asks once for all that has changed since it asked
//! last, writes it down once, and passes it on to every page; while nobody is there it asks nothing. A page that comes back
//! says how far it was, and asks for the rest itself ([`Page`]).

mod frame;
mod page;
mod status;
mod waiters;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use service_kit::Context;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{sleep, timeout};

use crate::cluster::Cluster;
use crate::db::read::{Listener, News, Position, ReadError, Reads, Since};
use crate::options::Options;
use frame::Frame;
pub use page::Page;
pub use status::StatusDocument;
use waiters::Waiters;

/// What pages and waiting readers are told by; clones are the same feed.
#[derive(Clone, Debug)]
pub struct Feed(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    pages: broadcast::Sender<Message>,
    /// Says that there is a page.
    opened: Notify,
    waiters: Waiters,
    /// Why the database cannot be used, if it cannot.
    database: watch::Sender<Option<String>>,
}

/// What all pages are told.
#[derive(Clone, Debug)]
enum Message {
    /// What has changed from one position to the next, if it is to be seen.
    Changed { since: Position, at: Position, frame: Option<Frame> },
    /// Everything is to be read anew.
    Reset { at: Position, frame: Frame },
    /// What has no position.
    Aside(Frame),
}

/// Messages that a page may be behind before it is cut off.
const MOST_BEHIND: usize = 64;
/// Between two questions for what has changed.
const INTERVAL: Duration = Duration::from_millis(50);
/// The same after so much has changed that pages read everything anew.
const INTERVAL_AFTER_RESET: Duration = Duration::from_secs(1);
/// How long the feed goes without asking while somebody is there, so that a connection that has died shows.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);
/// Before the database is tried again.
const DATABASE_INTERVAL: Duration = Duration::from_secs(1);

impl Feed {
    /// One that nobody tells anything yet.
    pub fn new() -> Self {
        Self(Arc::new(Parts {
            pages: broadcast::Sender::new(MOST_BEHIND),
            opened: Notify::new(),
            waiters: Waiters::default(),
            database: watch::Sender::new(Some("the database has not answered yet".to_string())),
        }))
    }

    /// Tells until the process stops.
    pub async fn run(self, context: Context<Options>) -> anyhow::Result<()> {
        let reads = Reads::new(&context.options().database_url);
        let cluster = Cluster::new(&context, reads.clone());
        let stopping = context.stopping();
        tokio::select! {
            () = stopping.cancelled() => Ok(()),
            never = self.follow(&reads) => match never {},
            never = status::report(&self, &cluster) => match never {},
        }
    }

    /// The version of an order as far as it is heard of from now on: changes when the order does.
    pub fn version_of(&self, order_id: &str) -> watch::Receiver<i32> {
        self.0.waiters.watch(order_id)
    }

    /// What a page is told from now on, and that there is one.
    fn subscribed(&self) -> broadcast::Receiver<Message> {
        let messages = self.0.pages.subscribe();
        self.0.opened.notify_waiters();
        messages
    }

    fn is_watched(&self) -> bool {
        self.0.pages.receiver_count() > 0
    }

    /// Waits until there is a page.
    async fn watched(&self) {
        loop {
            // Heard from here on, so that no page comes between the look and the wait.
            let opened = self.0.opened.notified();
            if self.is_watched() {
                return;
            }
            opened.await;
        }
    }

    fn tell(&self, message: Message) {
        // Nobody may be there any more.
        let _ = self.0.pages.send(message);
    }

    async fn follow(&self, reads: &Reads) -> Infallible {
        let mut told = None;
        loop {
            let Err(error) = self.listen(reads, &mut told).await;
            tracing::warn!(%error, "the feed hears nothing of the database");
            self.0.database.send_if_modified(|reason| {
                let before = reason.replace(error.reason().to_string());
                before != *reason
            });
            sleep(DATABASE_INTERVAL).await;
        }
    }

    /// Listens over one connection until that fails. All up to `told` was passed on to whoever was there.
    async fn listen(&self, reads: &Reads, told: &mut Option<Position>) -> Result<Infallible, ReadError> {
        let mut listener = reads.listening().await?;
        // What was said before is not heard.
        let mut heard = None;
        loop {
            let pause = self.pass_on(&mut listener, told, heard).await?;
            self.0.database.send_if_modified(|reason| reason.take().is_some());
            sleep(pause).await;
            heard = match timeout(LONGEST_SILENCE, listener.heard()).await {
                Ok(heard) => heard?,
                Err(_) => None,
            };
        }
    }

    /// Asks what has changed, and tells whoever waits for it; returns when to ask again at the earliest.
    async fn pass_on(
        &self,
        listener: &mut Listener,
        told: &mut Option<Position>,
        heard: Option<Position>,
    ) -> Result<Duration, ReadError> {
        let awaited = self.0.waiters.awaited();
        let since = told.clone().filter(|_| self.is_watched());
        if since.is_none()
            && awaited.is_empty()
            && let Some(heard) = heard
        {
            *told = Some(heard.clone());
            self.tell_of(heard);
            return Ok(INTERVAL);
        }
        let news = listener.ask(&News { since: since.as_ref(), awaited: &awaited }).await?;
        for (order_id, version) in &news.versions {
            self.0.waiters.tell(order_id, *version);
        }
        let at = news.position;
        *told = Some(at.clone());
        match (since, news.since) {
            (Some(_), Since::Lost) => {
                self.tell(Message::Reset { frame: frame::reset(&at), at });
                Ok(INTERVAL_AFTER_RESET)
            }
            (Some(since), changed) => {
                if since != at {
                    let frame = frame::changes(&at, &changed);
                    self.tell(Message::Changed { since, at, frame });
                }
                Ok(INTERVAL)
            }
            (None, _) => {
                self.tell_of(at);
                Ok(INTERVAL)
            }
        }
    }

    /// Nobody was there when it was asked how far the tables are; whoever has come meanwhile, and is not as far, asks.
    fn tell_of(&self, at: Position) {
        self.tell(Message::Changed { since: at.clone(), at, frame: None });
    }
}
