//! What is sent, as the event stream of a browser has it (HTML Standard, section 9.2).

use axum::body::Bytes;
use serde::Serialize;

use crate::db::read::{Position, Since};

/// One event, written down once for all who get it.
pub type Frame = Bytes;

/// The first word to a page that knows nothing.
pub fn hello(at: &Position) -> Frame {
    event("hello", Some(at), at)
}

/// Everything is to be read anew.
pub fn reset(at: &Position) -> Frame {
    event("reset", Some(at), &serde_json::json!({}))
}

/// All rows that changed up to here, if there are any.
pub fn changes(at: &Position, since: &Since) -> Option<Frame> {
    match since {
        Since::Changed(changed) if !changed.is_empty() => Some(event("changes", Some(at), changed)),
        _ => None,
    }
}

/// How the parts are.
pub fn status(status: &impl Serialize) -> Frame {
    event("status", None, status)
}

/// What no page sees, to keep alive what lies between us and it.
pub fn comment() -> Frame {
    Bytes::from_static(b":\n\n")
}

fn event(name: &str, id: Option<&Position>, data: &impl Serialize) -> Frame {
    // Names, numbers and texts always serialize, and on one line.
    let data = serde_json::to_string(data).unwrap_or_default();
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_name_its_position_and_its_data_on_one_line() {
        let at = Position { generation: "view_3".to_string(), change: 12 };
        let hello = "event: hello\nid: view_3-12\ndata: {\"generation\":\"view_3\",\"change\":12}\n\n";
        assert_eq!(hello_text(&at), hello);
        assert_eq!(status(&"line\nbreak"), "event: status\ndata: \"line\\nbreak\"\n\n");
        assert_eq!(changes(&at, &Since::Nothing), None);
    }

    fn hello_text(at: &Position) -> Frame {
        hello(at)
    }
}
