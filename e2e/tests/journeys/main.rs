//! One whole stack, as a user starts it, and what a user does with it. Nothing breaks here, so that all tests share it.
//!
//! It may be one that runs already, on fresh data: `MILLRACE_ECOSYSTEM` names its env file, such as the `target/demo.env` of a
//! demo.

#![expect(clippy::disallowed_methods, reason = "who runs the tests says by a variable on what")]

mod checks;
mod customers;
mod instances;
mod levels;
mod mail;
mod orders;
mod payments;
mod seed;
mod traces;

use std::env;
use std::path::Path;
use std::sync::OnceLock;

use e2e::{ANSWERED_WITHIN, Gateway, Mailbox, OrdersClient, Topics};
use local::{Addresses, Stack};

/// The running ecosystem, as one test sees it.
struct Ecosystem {
    /// Asks the instances in turn, as if behind a load balancer.
    orders: OrdersClient,
    /// One that asks always the same, for each instance.
    instances: Vec<OrdersClient>,
    /// The instances of the others that have an HTTP interface.
    payments: Vec<Gateway>,
    customers: Vec<Gateway>,
    mailbox: Mailbox,
    topics: Topics,
}

fn ecosystem() -> anyhow::Result<Ecosystem> {
    let addresses = addresses();
    let instances = addresses.services.iter().filter(|instance| instance.service == "orders");
    let urls: Vec<String> = instances.filter_map(|instance| instance.url.clone()).collect();
    assert!(urls.len() > 1, "there are several instances of orders, and each has an HTTP interface");
    Ok(Ecosystem {
        orders: OrdersClient::of_instances(&urls, ANSWERED_WITHIN)?,
        instances: urls.iter().map(|url| OrdersClient::new(url)).collect::<Result<_, _>>()?,
        payments: Gateway::instances(&addresses, "payments")?,
        customers: Gateway::instances(&addresses, "customers")?,
        mailbox: Mailbox::of(&addresses)?,
        topics: Topics::of(&addresses)?,
    })
}

/// The stack is never dropped, as no static is: its watchdog ends it with the process.
fn addresses() -> Addresses {
    if let Some(file) = env::var_os("MILLRACE_ECOSYSTEM") {
        return Addresses::read(Path::new(&file)).unwrap_or_else(|error| panic!("{error}"));
    }
    static STACK: OnceLock<Stack> = OnceLock::new();
    let start = || Stack::builder().start().unwrap_or_else(|error| panic!("the stack does not start: {error}"));
    STACK.get_or_init(start).addresses()
}
