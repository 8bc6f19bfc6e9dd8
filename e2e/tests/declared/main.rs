//! What files call an option or a topic of a program is one: compose, manifests and documents are held against what the
//! programs say of themselves (`<service> describe`, `<program> --help`). Nothing is started that waits for anything.

mod compose;
mod documents;
mod programs;
