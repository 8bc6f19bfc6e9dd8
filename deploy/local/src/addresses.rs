use std::env;
use std::fmt::Write;

use crate::declared::{Declaration, Kind, admin};
use crate::infrastructure::{postgres, registry};

/// Where the parts of a stack are reached. A part that does not belong to the stack has an empty address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// `host:port` of the broker.
    pub kafka_bootstrap: String,
    /// Base of the registry's Confluent API.
    pub schema_registry_url: String,
    /// The services' database.
    pub postgres_url: String,
    /// The services, in the order of the declaration.
    pub services: Vec<ServiceAddress>,
}

/// Tells addresses that somebody gave this process for its use from those that happen to be in the environment, as they
/// are after sourcing the env file of a demo.
pub(crate) const GIVEN: &str = "MILLRACE_INFRASTRUCTURE_GIVEN";

/// Where a service is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAddress {
    /// Its name.
    pub name: String,
    /// Base of its HTTP interface, if it has one.
    pub url: Option<String>,
    /// Base of its admin port: `/livez`, `/readyz`, `/metrics`.
    pub admin_url: String,
}

impl Addresses {
    pub(crate) fn new(parts: &[&Declaration], port: impl Fn(&str) -> u16) -> Self {
        let mut addresses = Self::default();
        for part in parts {
            match (part.name, &part.kind) {
                ("kafka", _) => addresses.kafka_bootstrap = format!("127.0.0.1:{}", port("kafka")),
                ("registry", _) => {
                    addresses.schema_registry_url = format!("{}{}", http(port("registry")), registry::CONFLUENT_API);
                }
                ("postgres", _) => addresses.postgres_url = postgres_url(port("postgres"), postgres::DATABASE),
                (name, Kind::Service { http_port, .. }) => addresses.services.push(ServiceAddress {
                    name: name.into(),
                    url: http_port.map(|_| http(port(name))),
                    admin_url: http(port(&admin(name))),
                }),
                _ => {}
            }
        }
        addresses
    }

    /// What [`exec()`](crate::exec()) has put into the environment of this process, if it has.
    pub fn given() -> Option<Self> {
        env::var_os(GIVEN)?;
        let variable = |name| env::var(name).unwrap_or_default();
        Some(Self {
            kafka_bootstrap: variable("KAFKA_BOOTSTRAP"),
            schema_registry_url: variable("SCHEMA_REGISTRY_URL"),
            postgres_url: variable("POSTGRES_URL"),
            services: Vec::new(),
        })
    }

    /// As environment variables: `KAFKA_BOOTSTRAP`, `SCHEMA_REGISTRY_URL`, `POSTGRES_URL`, and for each service with an
    /// HTTP interface `<SERVICE>_URL` and `<SERVICE>_URLS` (all instances, separated by commas).
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut variables = vec![
            ("KAFKA_BOOTSTRAP".to_string(), self.kafka_bootstrap.clone()),
            ("SCHEMA_REGISTRY_URL".to_string(), self.schema_registry_url.clone()),
            ("POSTGRES_URL".to_string(), self.postgres_url.clone()),
        ];
        for service in &self.services {
            if let Some(url) = &service.url {
                let name = service.name.to_uppercase().replace('-', "_");
                variables.push((format!("{name}_URL"), url.clone()));
                variables.push((format!("{name}_URLS"), url.clone()));
            }
        }
        variables.retain(|(_, value)| !value.is_empty());
        variables
    }

    pub(crate) fn postgres_port(&self) -> Option<u16> {
        let (_, behind_host) = self.postgres_url.rsplit_once(':')?;
        behind_host.split('/').next()?.parse().ok()
    }

    /// The same as lines that a shell can source.
    pub fn as_shell(&self) -> String {
        self.environment().iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name}={value}");
            text
        })
    }
}

fn http(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

pub(crate) fn postgres_url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}
