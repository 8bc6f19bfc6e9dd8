//! The live page, as somebody uses it: the whole stack, and a real browser.
//!
//! `PAGE_SCREENSHOTS=<directory>` keeps what was seen on the way.

#![expect(clippy::disallowed_methods, reason = "whether pictures are kept is asked of the environment")]

mod browser;
mod keyboard;
mod restarting;
mod visiting;
mod visitor;
