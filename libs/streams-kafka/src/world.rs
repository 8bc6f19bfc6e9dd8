use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use avro_codec::{SchemaId, Schemas};
use streams::Graph;

use crate::Settings;
use crate::disk::StateDirectory;
use crate::global::Globals;
use crate::status::ThreadStatus;
use crate::stores::Suspended;
use crate::view::Shares;

/// What a stream thread is given.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) graph: Arc<Graph>,
    pub(crate) settings: Settings,
    pub(crate) schemas: Schemas,
    pub(crate) shares: Arc<Shares>,
    /// Where stores are kept, if not in memory.
    pub(crate) directory: Option<Arc<StateDirectory>>,
    pub(crate) globals: Arc<Globals>,
    pub(crate) suspended: Arc<Suspended>,
    pub(crate) resolve: Arc<dyn Fn(SchemaId) + Send + Sync>,
    pub(crate) wish: Arc<Wish>,
    /// Number of the thread in its process.
    pub(crate) thread: usize,
    pub(crate) status: ThreadStatus,
}

/// What the process wants of its stream threads.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    pub(crate) stop: AtomicBool,
    pub(crate) leave: AtomicBool,
}

impl Wish {
    pub(crate) fn to_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// To stop, or to leave.
    pub(crate) fn to_end(&self) -> bool {
        self.to_stop() || self.leave.load(Ordering::Acquire)
    }
}
