use std::sync::OnceLock;

use local::{Addresses, Stack};

use crate::{Broker, unique};

/// Kafka, a schema registry and PostgreSQL, shared by the tests of a process.
#[derive(Debug)]
pub struct Infrastructure {
    addresses: Addresses,
    /// Never dropped, as no static is: the stack's watchdog ends it with the process.
    _stack: Option<Stack>,
}

/// The shared infrastructure: the one this process was given (`local exec`), else one of its own, started by the first
/// call.
///
/// # Panics
/// If it cannot be started.
pub fn infrastructure() -> &'static Infrastructure {
    static SHARED: OnceLock<Infrastructure> = OnceLock::new();
    SHARED.get_or_init(|| {
        if let Some(addresses) = Addresses::given() {
            return Infrastructure { addresses, _stack: None };
        }
        let stack = Stack::builder().infrastructure().start();
        let stack = stack.unwrap_or_else(|error| panic!("the infrastructure of the tests does not start: {error}"));
        Infrastructure { addresses: stack.addresses(), _stack: Some(stack) }
    })
}

impl Infrastructure {
    /// `host:port` of the broker.
    pub fn kafka_bootstrap(&self) -> &str {
        &self.addresses.kafka_bootstrap
    }

    /// Base of the registry's Confluent API.
    pub fn schema_registry_url(&self) -> &str {
        &self.addresses.schema_registry_url
    }

    /// The broker, to look at topics and to write to them.
    pub fn broker(&self) -> Broker {
        Broker::at(self.kafka_bootstrap())
    }

    /// Makes an empty database for one test, and returns its URL.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn database(&self, name: &str) -> anyhow::Result<String> {
        Ok(local::create_database(&self.addresses, &unique(name))?)
    }
}
