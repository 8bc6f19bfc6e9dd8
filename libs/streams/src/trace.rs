use std::fmt;
use std::sync::Arc;

/// The trace that a record belongs to, in the words of whoever runs the topology (a W3C `traceparent`): carried on and not
/// understood. What a record does never depends on it.
#[derive(Clone, PartialEq, Eq)]
pub struct Trace(Arc<str>);

impl Trace {
    /// The trace that is called so.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// What it is called.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
