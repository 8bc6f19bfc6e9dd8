/// Takes payments over HTTP, and counts each once
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {}
