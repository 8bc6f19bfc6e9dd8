use std::time::Duration;

/// Owns the stock: promises pieces to orders, and tells the level of every product
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How long an order that has ended is remembered, in milliseconds of event time; 37 days unless given, which is longer
    /// than a dead letter can wait (30 days) and then be tried again (7 days)
    #[arg(
        long = "ended-orders-kept-ms",
        env = "ENDED_ORDERS_KEPT_MS",
        default_value = "3196800000",
        value_name = "MS"
    )]
    #[arg(value_parser = service_kit::milliseconds)]
    pub ended_orders_kept: Duration,
}
