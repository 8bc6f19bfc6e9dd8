use axum::body::Bytes;

use super::*;

fn at(generation: &str, change: i64) -> Position {
    Position { generation: generation.to_string(), change }
}

fn frame(text: &'static str) -> Frame {
    Bytes::from_static(text.as_bytes())
}

fn changed(since: Position, at: Position, text: &'static str) -> Message {
    Message::Changed { since, at, frame: Some(frame(text)) }
}

/// A page that follows from here on.
fn page(feed: &Feed, here: Position) -> Page {
    let reads = Reads::new("postgres://nobody@127.0.0.1:1/nothing");
    let mut page = Page::opened(feed, reads, None, CancellationToken::new());
    (page.at, page.is_following) = (Some(here), true);
    page
}

#[tokio::test]
async fn what_a_page_knows_already_is_not_told_again() {
    let feed = Feed::new();
    let mut page = page(&feed, at("view_1", 10));
    assert_eq!(page.taken(changed(at("view_1", 5), at("view_1", 8), "old")), None);
    assert_eq!(page.taken(changed(at("view_1", 8), at("view_1", 10), "known")), None);
    assert_eq!(page.taken(changed(at("view_1", 10), at("view_1", 12), "new")), Some(frame("new")));
    assert_eq!(page.taken(Message::Reset { at: at("view_1", 11), frame: frame("reset") }), None);
    assert_eq!(page.taken(changed(at("view_1", 11), at("view_1", 13), "overlapping")), Some(frame("overlapping")));
    assert!(page.is_following);
}

#[tokio::test]
async fn a_page_that_was_not_told_something_asks_for_it() {
    let feed = Feed::new();
    let mut page = page(&feed, at("view_1", 10));
    assert_eq!(page.taken(changed(at("view_1", 11), at("view_1", 12), "later")), None);
    assert!(!page.is_following);
    assert_eq!(page.at, Some(at("view_1", 10)));
}

#[tokio::test]
async fn a_change_without_anything_to_be_seen_moves_a_page_on() {
    let feed = Feed::new();
    let mut page = page(&feed, at("view_1", 10));
    assert_eq!(page.taken(Message::Changed { since: at("view_1", 10), at: at("view_1", 11), frame: None }), None);
    assert_eq!(page.taken(changed(at("view_1", 11), at("view_1", 12), "next")), Some(frame("next")));
}

#[tokio::test]
async fn changes_of_tables_that_serve_no_more_are_not_told() {
    let feed = Feed::new();
    let mut page = page(&feed, at("view_2", 1));
    assert_eq!(page.taken(changed(at("view_1", 1), at("view_1", 2), "old tables")), None);
    assert!(page.is_following);
    assert_eq!(page.taken(Message::Reset { at: at("view_3", 0), frame: frame("reset") }), Some(frame("reset")));
    assert_eq!(page.taken(changed(at("view_3", 0), at("view_3", 1), "new tables")), Some(frame("new tables")));
}

#[tokio::test]
async fn a_page_that_does_not_listen_is_cut_off() {
    let feed = Feed::new();
    let mut page = page(&feed, at("view_1", 0));
    feed.tell(Message::Aside(frame("status")));
    assert_eq!(page.next().await, Some(frame("status")));
    for _ in 0..100 {
        feed.tell(Message::Aside(frame("status")));
    }
    assert_eq!(page.next().await, None);
}

#[tokio::test]
async fn a_page_ends_with_the_process() {
    let feed = Feed::new();
    let mut page = page(&feed, at("view_1", 0));
    page.stopping.cancel();
    assert_eq!(page.next().await, None);
}
