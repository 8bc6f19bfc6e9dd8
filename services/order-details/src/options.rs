/// Checks the facts of every order by itself
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The largest quantity one order may ask for
    #[arg(long, env = "MAX_QUANTITY", default_value_t = 1_000_000, value_parser = clap::value_parser!(i32).range(1..))]
    pub max_quantity: i32,
}
