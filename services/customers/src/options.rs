/// Keeps the customers, and lets nobody overwrite a change that they have not seen
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {}
