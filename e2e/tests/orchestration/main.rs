//! Several real services together, asked over HTTP and looked at through their topics: every business scenario, once as it
//! should go and once as it should not.
//!
//! Tests that break nothing share one stack, and have customers and products of their own. Those that need another stack
//! start one, and take turns.

mod changing_customers;
mod ecosystem;
mod expiry;
mod mailing;
mod paying;
mod repeating;
mod restarting;
mod shop;
mod spending;
mod stock;
mod validating;
mod viewing;
