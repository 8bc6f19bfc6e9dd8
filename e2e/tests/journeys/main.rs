//! One whole stack, as a user starts it, and what a user does with it. Nothing breaks here, so that all tests share it.

mod orders;
mod seed;
mod traces;

use std::sync::OnceLock;

use e2e::{OrdersClient, Topics};
use local::{Addresses, Stack};

/// The running ecosystem, as one test sees it.
struct Ecosystem {
    orders: OrdersClient,
    topics: Topics,
}

fn ecosystem() -> anyhow::Result<Ecosystem> {
    let addresses = addresses();
    let service = addresses.services.iter().find(|service| service.name == "orders");
    let url = service.and_then(|service| service.url.as_ref()).expect("orders has an HTTP interface");
    Ok(Ecosystem { orders: OrdersClient::new(url)?, topics: Topics::of(&addresses)? })
}

/// The stack is never dropped, as no static is: its watchdog ends it with the process.
fn addresses() -> Addresses {
    static STACK: OnceLock<Stack> = OnceLock::new();
    let start = || Stack::builder().start().unwrap_or_else(|error| panic!("the stack does not start: {error}"));
    STACK.get_or_init(start).addresses()
}
